/**
 * Limits by client: one for every request, and a much stricter one for sign-ins that failed, after which the client is
 * shut out for a while whatever it sends, or the limit would not slow down guessing. Cloudflare's rate limiting binding
 * counts, which Miniflare has too; where it is absent or fails the isolate counts for itself. The binding is lenient by
 * design: it protects the node's budget, and the length of the token protects its secrets.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "./app.ts";

/** What the binding and the isolate's own counter have in common. */
export interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** `period` in seconds, as the binding has it. As in wrangler.toml and cli/local-worker.ts; a test keeps them equal. */
export const RATE_LIMITS = {
  REQUEST_LIMIT: { limit: 1_000, period: 60 },
  SIGN_IN_LIMIT: { limit: 20, period: 60 },
} as const;
export type RateLimitName = keyof typeof RATE_LIMITS;

/** Clients that an isolate remembers; those beyond share one count. */
const CLIENTS_MAX = 10_000;

/** Wired once per isolate; tests wire their own. */
export interface Limiter {
  /** Counts one use by the client; true when it was one too many. */
  exceeds(c: Context<App>, name: RateLimitName): Promise<boolean>;
  /** Counts a sign-in that failed, and shuts the client out when it was one too many. */
  noteFailedSignIn(c: Context<App>): Promise<boolean>;
  isShutOut(c: Context<App>): boolean;
}

export function createLimiter(now: () => number): Limiter {
  const counters = {
    REQUEST_LIMIT: createCounter(RATE_LIMITS.REQUEST_LIMIT, now),
    SIGN_IN_LIMIT: createCounter(RATE_LIMITS.SIGN_IN_LIMIT, now),
  };
  const shutOutUntilMs = new Map<string, number>();
  const exceeds = async (c: Context<App>, name: RateLimitName) => {
    const key = clientOf(c);
    const bound = c.env[name];
    const own = () => counters[name].limit({ key });
    return !(await (isRateLimit(bound) ? bound.limit({ key }).catch(own) : own())).success;
  };
  return {
    exceeds,
    async noteFailedSignIn(c) {
      const tooMany = await exceeds(c, "SIGN_IN_LIMIT");
      if (tooMany) {
        if (shutOutUntilMs.size >= CLIENTS_MAX) shutOutUntilMs.clear();
        shutOutUntilMs.set(clientOf(c), now() + RATE_LIMITS.SIGN_IN_LIMIT.period * 1000);
      }
      return tooMany;
    },
    isShutOut: (c) => now() < (shutOutUntilMs.get(clientOf(c)) ?? 0),
  };
}

export function limitRequests(limiter: Limiter): MiddlewareHandler<App> {
  return async (c, next) => ((await limiter.exceeds(c, "REQUEST_LIMIT")) ? tooMany(c, "REQUEST_LIMIT") : next());
}

export function tooMany(c: Context<App>, name: RateLimitName) {
  const { period } = RATE_LIMITS[name];
  c.header("retry-after", `${period}`);
  return c.json({ error: `too many requests: wait ${period} seconds` }, 429);
}

/** Counts in fixed windows, in memory; the window's end forgets everyone. */
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
      const counted = counts.has(key) || counts.size < CLIENTS_MAX ? key : "everyone else";
      const count = (counts.get(counted) ?? 0) + 1;
      counts.set(counted, count);
      return { success: count <= limit };
    },
  };
}

/** Cloudflare sets the header itself, whatever the client sent. */
function clientOf(c: Context<App>): string {
  return clientKey(c.req.header("cf-connecting-ip") ?? "local");
}

/** Whoever has one IPv6 address has the whole /64 (RFC 6177), so that counts as one client. */
export function clientKey(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address.slice(0, 64);
  const [head = [], tail = []] = address.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const zeros = address.includes("::") ? Math.max(0, 8 - head.length - tail.length) : 0;
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}

function isRateLimit(binding: unknown): binding is RateLimit {
  return typeof binding === "object" && binding !== null && "limit" in binding && typeof binding.limit === "function";
}
