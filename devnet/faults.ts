/**
 * Misbehaviour on demand, for any of the devnet's services: armed over `POST /devnet/faults`, used up request by
 * request, newest first. `/devnet/…` itself never misbehaves, so that a fault can always be taken back.
 */
import type { Context, Hono, Next } from "hono";
import * as z from "zod";
import type { Clock } from "../core/ports.ts";
import { cutInHalf, cutResponse } from "./cut.ts";

/** Bounds a pattern that is run against every request. */
const PATTERN_MAX = 200;
const COUNT_MAX = 1_000_000;
const DELAY_MAX_MS = 600_000;
const HANG_MAX_MS = 3_600_000;
const BIG_BYTES = 10 * 1024 * 1024;

const fault = z.strictObject({
  /** A regular expression on the path, unanchored. */
  path: z.string().min(1).max(PATTERN_MAX).refine(isPattern, "must be a regular expression"),
  /** Only requests of this node, by the address it signs with (X-Node-Address). */
  from: z.string().max(64).optional(),
  method: z.enum(["GET", "POST", "PUT", "DELETE", "HEAD"]).optional(),
  /**
   * `status`: refused before anything happens. `lost`: it happens, and the answer is replaced by `status` (default 502).
   * `hold`: it happens, and its answer never comes, until the client lets go. `garbage`: 200 with a web page instead of JSON, nothing happens. `hang`: no answer until the client lets go.
   * `close`: the connection is cut before any answer, nothing happens. `half`: it happens, and the connection is cut in
   * the middle of the answer. `json`: 200 or `status` with `body`, nothing happens. `big`: 10 MB instead of the answer.
   */
  mode: z.enum(["status", "lost", "hold", "delay", "hang", "garbage", "close", "half", "json", "big"]),
  status: z.int().min(200).max(599).optional(),
  /** Sent as JSON by mode `json`. */
  body: z.json().optional(),
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
  /** Told of every request before it is answered, `/devnet/…` excepted. For tests that want to know what was asked. */
  onRequest: (method: string, path: string) => void;
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
    onRequest: () => undefined,
  };
  app.use("*", (c, next) => {
    if (c.req.path.startsWith("/devnet/")) return next();
    faults.onRequest(c.req.method, c.req.path);
    const hit = take(armed, c.req);
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

function take(armed: ArmedFault[], req: Context["req"]): ArmedFault | undefined {
  const hit = armed.find(
    ({ method = req.method, from, path }) =>
      method === req.method &&
      (from === undefined || from === req.header("x-node-address")) &&
      new RegExp(path).test(req.path),
  );
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
      await replace(c, () => failure(hit, 502));
      return undefined;
    case "garbage":
      return new Response("<html><body>Just a moment...</body></html>", { headers: { "content-type": "text/html" } });
    case "hang":
      await disconnected(c.req.raw.signal, clock);
      return new Response(null, { status: 499 });
    case "hold":
      await next();
      await disconnected(c.req.raw.signal, clock);
      return undefined;
    case "close":
      return cutResponse();
    case "half":
      await next();
      await replace(c, cutInHalf);
      return undefined;
    case "json":
      return Response.json(hit.body ?? null, { status: hit.status ?? 200 });
    case "big":
      return new Response(bigBody(), { headers: { "content-type": "application/json" } });
    case "delay":
      await clock.sleep(hit.delayMs);
      await next();
      return undefined;
  }
}

async function replace(c: Context, change: (answer: Response) => Response | Promise<Response>): Promise<void> {
  const changed = await change(c.res);
  // Assigning twice makes Hono take the new answer as it is instead of merging the first one's headers into a copy.
  c.res = undefined;
  c.res = changed;
}

/** A JSON string that does not end for ten megabytes. */
function bigBody(): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(65_536).fill(0x78);
  let left = BIG_BYTES;
  return new ReadableStream({
    start: (controller) => controller.enqueue(Uint8Array.of(0x22)),
    pull(controller) {
      controller.enqueue(chunk);
      left -= chunk.length;
      if (left <= 0) controller.close();
    },
  });
}

function failure(hit: ArmedFault, byDefault: number): Response {
  const headers: Record<string, string> = {};
  if (hit.retryAfterSec !== undefined) headers["retry-after"] = `${hit.retryAfterSec}`;
  return Response.json({ detail: "a fault was armed" }, { status: hit.status ?? byDefault, headers });
}

/** Until the client lets go; a real server gives up some time too. */
async function disconnected(signal: AbortSignal, clock: Clock): Promise<void> {
  await clock.sleep(HANG_MAX_MS, signal).catch(() => undefined);
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
