/**
 * An RPC URL that said 429 is left alone for as long as it asked for, if there are others: asking it first each time would
 * only prolong its refusal. Where it is the only one, waiting between retries is the transport's business.
 */
import type { Clock } from "../ports.ts";

/** Without a Retry-After. */
const PAUSE_MS = 2_000;
/** However long it asks for: a wrong header must not take a URL away for a day. */
const PAUSE_MAX_MS = 60_000;

export interface Cooling {
  /** Whether it asked to be left alone until later than now. */
  isOn(): boolean;
  /** Notes a failed request's error. */
  note(error: unknown): void;
}

export function createCooling(clock: Pick<Clock, "now">): Cooling {
  let untilMs = 0;
  return {
    isOn: () => clock.now() < untilMs,
    note(error) {
      const refusal = tooManyIn(error);
      if (refusal !== null) untilMs = clock.now() + Math.min(pauseOf(refusal.headers, clock.now()), PAUSE_MAX_MS);
    },
  };
}

/** Seconds or a date (RFC 9110, 10.2.3), ms from now. */
function pauseOf(headers: Headers | undefined, nowMs: number): number {
  const after = headers?.get("retry-after") ?? "";
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1000;
  const dateMs = Date.parse(after);
  return Number.isNaN(dateMs) ? PAUSE_MS : Math.max(0, dateMs - nowMs);
}

/** HTTP 429, or the JSON-RPC errors that some providers send with status 200 instead. */
const CODES = [429, -32005, -32007];

function tooManyIn(error: unknown): { headers: Headers | undefined } | null {
  let cause = error;
  for (let depth = 0; depth < 12 && typeof cause === "object" && cause !== null; depth++) {
    const { status, code, headers } = cause as { status?: unknown; code?: unknown; headers?: unknown };
    if (status === 429 || CODES.some((known) => known === code)) {
      return { headers: headers instanceof Headers ? headers : undefined };
    }
    cause = "cause" in cause ? cause.cause : undefined;
  }
  return null;
}
