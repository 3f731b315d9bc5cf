/**
 * Bearer authentication with a constant-time comparison. No token configured means that the API is closed. Whatever is
 * asked for, a stranger gets the same answer; only a request that passed is marked, and only such a one is told reasons.
 */
import type { MiddlewareHandler } from "hono";
import { wire } from "../wiring.ts";
import type { App } from "./app.ts";
import { type Limiter, tooMany } from "./rate-limit.ts";

export function requireAdmin(limiter: Limiter): MiddlewareHandler<App> {
  return async (c, next) => {
    const expected = wire(c.env).result.adminToken;
    if (expected === null) {
      return c.json({ error: "the API is closed: set BLF_ADMIN_TOKEN (16 characters or more) to open it" }, 403);
    }
    if (limiter.isShutOut(c)) return tooMany(c, "SIGN_IN_LIMIT");
    const authorization = c.req.header("authorization");
    const given = /^Bearer (.+)$/.exec(authorization ?? "")?.[1] ?? "";
    if (!(await sameText(given, expected.reveal()))) {
      // Without any token it is no guess, and must not shut out an operator at the same address.
      if (authorization !== undefined && (await limiter.noteFailedSignIn(c))) return tooMany(c, "SIGN_IN_LIMIT");
      c.header("www-authenticate", "Bearer");
      return c.json({ error: "send the header Authorization: Bearer <BLF_ADMIN_TOKEN>" }, 401);
    }
    c.set("isAdmin", true);
    await next();
  };
}

/** Compares digests, so that neither the content nor the length shows in the time taken. */
async function sameText(left: string, right: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = await Promise.all([digest(left), digest(right)]);
  return crypto.subtle.timingSafeEqual(a, b);
}
