/**
 * Limits by client address, counted by Cloudflare's rate limiting binding, which Miniflare has too; where the binding
 * is absent the isolate counts for itself. One limit for every route, and a much stricter one for failed sign-ins. The
 * binding lets through rather than fail when it is not sure, so it protects the node's budget and not its secrets.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "./app.ts";

/** What the binding and the isolate's own counter have in common. */
export interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** As in wrangler.toml and cli/local-worker.ts; a test keeps them equal. */
export const RATE_LIMITS = {
  REQUEST_LIMIT: { limit: 1_000, period: 60 },
  SIGN_IN_LIMIT: { limit: 20, period: 60 },
} as const;
export type RateLimitName = keyof typeof RATE_LIMITS;

export const limitRequests: MiddlewareHandler<App> = async (c, next) => {
  return (await exceeds(c, "REQUEST_LIMIT")) ? tooMany(c, "REQUEST_LIMIT") : next();
};

/** Counts one use by the request's client; true when it was one too many. */
export async function exceeds(c: Context<App>, name: RateLimitName): Promise<boolean> {
  const bound = c.env[name] as RateLimit | undefined;
  const key = c.req.header("cf-connecting-ip") ?? "local";
  return !(await (bound ?? counterOf(name)).limit({ key })).success;
}

export function tooMany(c: Context<App>, name: RateLimitName) {
  c.header("retry-after", `${RATE_LIMITS[name].period}`);
  return c.json({ error: "too many requests: wait a minute" }, 429);
}

const counters = new Map<RateLimitName, RateLimit>();

function counterOf(name: RateLimitName): RateLimit {
  const known = counters.get(name);
  if (known !== undefined) return known;
  const counter = createCounter(RATE_LIMITS[name], Date.now);
  counters.set(name, counter);
  return counter;
}

/** Counts in fixed windows, in memory; the window's start forgets everyone. */
export function createCounter({ limit, period }: { limit: number; period: number }, now: () => number): RateLimit {
  let window = 0;
  let counts = new Map<string, number>();
  return {
    async limit({ key }) {
      const current = Math.floor(now() / (period * 1000));
      if (current !== window) {
        window = current;
        counts = new Map();
      }
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return { success: count <= limit };
    },
  };
}
