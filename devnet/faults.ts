/**
 * Misbehaviour on demand, for any of the devnet's services: armed over `POST /devnet/faults`, used up request by
 * request, newest first. `/devnet/…` itself never misbehaves, so that a fault can always be taken back.
 */
import type { Context, Hono, Next } from "hono";
import * as z from "zod";
import type { Clock } from "../core/ports.ts";

/** Bounds a pattern that is run against every request. */
const PATTERN_MAX = 200;
const COUNT_MAX = 1_000_000;
const DELAY_MAX_MS = 600_000;

const fault = z.strictObject({
  /** A regular expression on the path, unanchored. */
  path: z.string().min(1).max(PATTERN_MAX).refine(isPattern, "must be a regular expression"),
  method: z.enum(["GET", "POST", "PUT", "DELETE", "HEAD"]).optional(),
  /**
   * `status`: refused before anything happens. `lost`: it happens, and the answer is replaced by `status` (default 502).
   * `hold`: it happens, and its answer never comes, until the client lets go. `garbage`: 200 with a web page instead of JSON, nothing happens. `hang`: no answer until the client lets go.
   */
  mode: z.enum(["status", "lost", "hold", "delay", "hang", "garbage"]),
  status: z.int().min(200).max(599).optional(),
  /** Sent as Retry-After with `status`. */
  retryAfterSec: z.int().min(0).max(3_600).optional(),
  delayMs: z.int().min(0).max(DELAY_MAX_MS).default(1_000),
  /** How many requests it takes. */
  count: z.int().min(1).max(COUNT_MAX).default(1),
});

export type Fault = z.input<typeof fault>;
type ArmedFault = z.output<typeof fault> & { hits: number };

export interface Faults {
  /** Arms a fault as the route does. Throws on one that is malformed. */
  arm(fault: Fault): void;
  clear(): void;
}

/**
 * Puts the faults before every route of `app` that is added afterwards, with `POST`, `GET` and `DELETE /devnet/faults`.
 * `delayMs` is waited on `clock`.
 */
export function installFaults(app: Pick<Hono, "use" | "on" | "all">, clock: Clock): Faults {
  const armed: ArmedFault[] = [];
  const faults: Faults = {
    arm: (given) => void armed.unshift({ ...fault.parse(given), hits: 0 }),
    clear: () => void armed.splice(0),
  };
  app.use("*", (c, next) => {
    const hit = c.req.path.startsWith("/devnet/") ? undefined : take(armed, c.req.method, c.req.path);
    return hit === undefined ? next() : misbehave(hit, clock, c, next);
  });
  app.on("POST", "/devnet/faults", async (c) => {
    const given = fault.safeParse(await c.req.json().catch(() => null));
    if (!given.success) return c.json({ detail: z.prettifyError(given.error) }, 400);
    armed.unshift({ ...given.data, hits: 0 });
    return c.json({ armed: armed.length });
  });
  app.on("GET", "/devnet/faults", (c) => c.json({ faults: armed }));
  app.on("DELETE", "/devnet/faults", (c) => {
    faults.clear();
    return c.json({ armed: 0 });
  });
  return faults;
}

function take(armed: ArmedFault[], method: string, path: string): ArmedFault | undefined {
  const hit = armed.find((one) => (one.method ?? method) === method && new RegExp(one.path).test(path));
  if (hit === undefined) return undefined;
  hit.hits += 1;
  if (hit.hits >= hit.count) armed.splice(armed.indexOf(hit), 1);
  return hit;
}

async function misbehave(hit: ArmedFault, clock: Clock, c: Context, next: Next): Promise<Response | undefined> {
  switch (hit.mode) {
    case "status":
      return failure(hit, 503);
    case "lost":
      await next();
      // Assigning twice makes Hono drop the first answer's headers instead of merging them.
      c.res = undefined;
      c.res = failure(hit, 502);
      return undefined;
    case "garbage":
      return new Response("<html><body>Just a moment...</body></html>", { headers: { "content-type": "text/html" } });
    case "hang":
      await disconnected(c.req.raw.signal);
      return new Response(null, { status: 499 });
    case "hold":
      await next();
      await disconnected(c.req.raw.signal);
      return undefined;
    case "delay":
      await clock.sleep(hit.delayMs);
      await next();
      return undefined;
  }
}

function failure(hit: ArmedFault, byDefault: number): Response {
  const headers: Record<string, string> = {};
  if (hit.retryAfterSec !== undefined) headers["retry-after"] = `${hit.retryAfterSec}`;
  return Response.json({ detail: "a fault was armed" }, { status: hit.status ?? byDefault, headers });
}

function disconnected(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
