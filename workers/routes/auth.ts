/** Bearer authentication with a constant-time comparison. No token configured means that the API is closed. */
import type { MiddlewareHandler } from "hono";
import { wire } from "../wiring.ts";
import type { App } from "./app.ts";
import { exceeds, tooMany } from "./rate-limit.ts";

export const requireAdmin: MiddlewareHandler<App> = async (c, next) => {
  const expected = wire(c.env).result.adminToken;
  if (expected === null) {
    return c.json({ error: "the API is closed: set BLF_ADMIN_TOKEN (16 characters or more) to open it" }, 403);
  }
  const given = /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
  if (!(await sameText(given, expected.reveal()))) {
    if (await exceeds(c, "SIGN_IN_LIMIT")) return tooMany(c, "SIGN_IN_LIMIT");
    c.header("www-authenticate", "Bearer");
    return c.json({ error: "send the header Authorization: Bearer <BLF_ADMIN_TOKEN>" }, 401);
  }
  await next();
};

/** Compares digests, so that neither the content nor the length shows in the time taken. */
async function sameText(left: string, right: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = await Promise.all([digest(left), digest(right)]);
  return crypto.subtle.timingSafeEqual(a, b);
}
