/**
 * Bearer authentication with a constant-time comparison. No token configured means that the API is closed. Whatever is
 * asked for, a stranger gets the same answer; only a request that passed is marked, and only such a one is told reasons.
 * The spend token opens the account's transactions and nothing else; the admin token does not spend.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { Secret } from "../../core/secret.ts";
import { wire } from "../wiring.ts";
import type { App } from "./app.ts";
import { type Limiter, tooMany } from "./rate-limit.ts";

/** What the spend token opens; that only it may spend there is the route's own check. */
const SPENDABLE = "/api/transactions";

export function requireToken(limiter: Limiter): MiddlewareHandler<App> {
  return async (c, next) => {
    const { adminToken, spendToken } = wire(c.env).result;
    if (adminToken === null && spendToken === null) return closed(c);
    if (limiter.isShutOut(c)) return tooMany(c, "SIGN_IN_LIMIT");
    const authorization = c.req.header("authorization");
    const given = /^Bearer (.+)$/.exec(authorization ?? "")?.[1] ?? "";
    const [isAdmin, maySpend] = await Promise.all([isToken(given, adminToken), isToken(given, spendToken)]);
    if (!isAdmin && !maySpend) {
      // Without any token it is no guess, and must not shut out an operator at the same address.
      if (authorization !== undefined && (await limiter.noteFailedSignIn(c))) return tooMany(c, "SIGN_IN_LIMIT");
      if (adminToken === null) return closed(c);
      c.header("www-authenticate", "Bearer");
      return c.json({ error: "send the header Authorization: Bearer <BLF_ADMIN_TOKEN>" }, 401);
    }
    if (isAdmin) c.set("isAdmin", true);
    if (maySpend) c.set("maySpend", true);
    if (!isAdmin && c.req.path !== SPENDABLE) {
      return c.json({ error: `the spend token opens ${SPENDABLE} only: send BLF_ADMIN_TOKEN here` }, 403);
    }
    await next();
  };
}

/** For a route that spends. The admin token alone is told what is missing. */
export const requireSpendToken: MiddlewareHandler<App> = async (c, next) => {
  if (c.get("maySpend") === true) return next();
  const isSet = wire(c.env).result.spendToken !== null;
  const error = isSet
    ? "the admin token does not spend: send the header Authorization: Bearer <BLF_SPEND_TOKEN>"
    : "transactions are closed: set BLF_SPEND_TOKEN (16 characters or more, not the admin token) to open them";
  return c.json({ error }, 403);
};

function closed(c: Context<App>) {
  return c.json({ error: "the API is closed: set BLF_ADMIN_TOKEN (16 characters or more) to open it" }, 403);
}

async function isToken(given: string, token: Secret | null): Promise<boolean> {
  return token !== null && (await sameText(given, token.reveal()));
}

/** Compares digests, so that neither the content nor the length shows in the time taken. */
async function sameText(left: string, right: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = await Promise.all([digest(left), digest(right)]);
  return crypto.subtle.timingSafeEqual(a, b);
}
