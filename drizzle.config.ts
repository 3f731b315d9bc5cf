import { defineConfig } from "drizzle-kit";

export default defineConfig({ dialect: "sqlite", schema: "./workers/adapters/schema.ts", out: "./migrations" });
