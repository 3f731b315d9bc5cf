import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { readSettings, SETTING_NAMES } from "../../core/settings/settings.ts";

/** What the Deploy to Cloudflare button asks for, each with the value that stands in its form. */
const form = parseEnv(readFileSync(new URL("../../.dev.vars.example", import.meta.url), "utf8"));

describe("the button's form", () => {
  it("asks for settings only", () => {
    expect(Object.keys(form).filter((name) => !SETTING_NAMES.includes(name))).toEqual([]);
  });

  it("holds no value that would pass for a real one: each is reported until it is set", () => {
    const { faults } = readSettings(form);
    const reported = faults.filter(({ severity, code }) => severity === "fault" && code === "placeholder");
    expect(reported.map(({ setting }) => setting).sort()).toEqual(Object.keys(form).sort());
  });

  it("is enough: without its names nothing else is missing", () => {
    const filled = {
      ...form,
      BLF_PRIVATE_KEY: "2b".repeat(32),
      BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/Zx8Qw3Er5Ty7Ui9Op1As2Df4",
      GROQ_API_KEY: "gsk_Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8",
      PINATA_JWT: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
      BLF_STORAGE_KEY: "3c5e7f9b1d2a4c6e8f0b1d3a5c7e9f1b2d4a6c8e0f1b3d5a7c9e1f2b4d6a8c0e",
      BLF_ADMIN_TOKEN: "Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8Lz",
    };
    const { faults } = readSettings(filled);
    expect(faults.filter(({ severity }) => severity === "fault")).toEqual([]);
  });
});
