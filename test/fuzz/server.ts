/**
 * A server that answers as badly as it likes: any status and body, in pieces, broken off, too late or not at all. Time
 * belongs to the test: it passes only when the server hangs, so that a time limit is met at once and none is waited for.
 */
import fc from "fast-check";
import type { Clock, Fetch } from "../../core/ports.ts";

export type Behaviour =
  | {
      kind: "answer" | "cut" | "hang-inside";
      status: number;
      headers: Record<string, string>;
      body: Uint8Array<ArrayBuffer>;
    }
  | { kind: "hang" }
  | { kind: "refuse" };

/** Time that a hanging server makes pass. */
export interface PassingClock extends Clock {
  /** Ends the sleep that is due first. */
  pass(): void;
}

export function passingClock(nowMs = 1_800_000_000_000): PassingClock {
  let now = nowMs;
  const sleepers = new Map<() => void, number>();
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const untilMs = now + ms;
        sleepers.set(resolve, untilMs);
        const stop = () => {
          sleepers.delete(resolve);
          reject(signal?.reason);
        };
        if (signal?.aborted) stop();
        signal?.addEventListener("abort", stop, { once: true });
      }),
    pass() {
      const [first] = [...sleepers].sort((one, other) => one[1] - other[1]);
      // Whoever asked has given up already.
      if (first === undefined) return;
      sleepers.delete(first[0]);
      now = Math.max(now, first[1]);
      first[0]();
    },
  };
}

/** Answers one request after another from `behaviours`, beginning again at its end. */
export function serverOf(behaviours: readonly Behaviour[], clock: PassingClock): { fetch: Fetch; urls: string[] } {
  const urls: string[] = [];
  const fetch: Fetch = async (input) => {
    const behaviour = behaviours[urls.length % behaviours.length];
    urls.push(input instanceof Request ? input.url : String(input));
    if (behaviour === undefined || behaviour.kind === "refuse") throw new TypeError("fetch failed");
    if (behaviour.kind === "hang") {
      queueMicrotask(clock.pass);
      return new Promise<never>(() => {});
    }
    const bodiless = [204, 205, 304].includes(behaviour.status);
    const { status, headers } = behaviour;
    return new Response(bodiless ? null : streamOf(behaviour, clock), { status, headers });
  };
  return { fetch, urls };
}

/** The body in two pieces, and then its end, a break, or nothing more. */
function streamOf({ kind, body }: Extract<Behaviour, { body: unknown }>, clock: PassingClock): ReadableStream {
  const half = Math.ceil(body.length / 2);
  const pieces = [body.slice(0, half), body.slice(half)].filter((piece) => piece.length > 0);
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece !== undefined) controller.enqueue(piece);
      else if (kind === "answer") controller.close();
      else if (kind === "cut") controller.error(new TypeError("terminated"));
      else {
        queueMicrotask(clock.pass);
        return new Promise<never>(() => {});
      }
      return undefined;
    },
  });
}

const STATUSES = [
  200, 201, 204, 301, 304, 400, 401, 403, 404, 408, 410, 418, 425, 429, 451, 498, 500, 501, 502, 503, 599,
];
const DATES = ["Fri, 15 Jan 2027 08:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "now", "", "99999999999999", "-1"];
const RETRIES = ["1", "0", "-1", "1e9", "0.5", "9".repeat(400), "Fri, 15 Jan 2027 08:00:09 GMT", "x GMT", " 7 "];

const headers = fc
  .record({
    date: fc.option(fc.constantFrom(...DATES), { nil: undefined }),
    age: fc.option(fc.constantFrom("0", "9", "x"), { nil: undefined, freq: 9 }),
    "retry-after": fc.option(fc.constantFrom(...RETRIES), { nil: undefined }),
    location: fc.option(fc.constantFrom("/x", "//", "http://[", "javascript:1", "https://b.test/"), { nil: undefined }),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => !!entry[1])));

/** Mostly a complete 200 with one of the bodies: that is where the parsing is. */
export function behaviourWith(bodies: fc.Arbitrary<string | Uint8Array>): fc.Arbitrary<Behaviour> {
  const body = bodies.map((one) => (typeof one === "string" ? new TextEncoder().encode(one) : Uint8Array.from(one)));
  const answered = fc.record({ kind: fc.constant("answer" as const), status: fc.constant(200), headers, body });
  const any = fc.record({
    kind: fc.constantFrom("answer" as const, "answer" as const, "cut" as const, "hang-inside" as const),
    status: fc.constantFrom(...STATUSES),
    headers,
    body,
  });
  return fc.oneof(
    { weight: 12, arbitrary: answered },
    { weight: 4, arbitrary: any },
    { weight: 1, arbitrary: fc.constantFrom<Behaviour>({ kind: "hang" }, { kind: "refuse" }) },
  );
}
