/**
 * What core needs from the world, as small types. Core itself reaches for nothing: every process wires its own
 * implementations by hand (workers/index.ts, cli/main.ts, devnet/main.ts), tests wire fakes that behave.
 */

/** Time. Milliseconds since the epoch; `sleep` rejects with the signal's reason when aborted. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The platform's fetch. */
export type Fetch = typeof globalThis.fetch;

/** Cryptographically secure random bytes. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a log event may carry: never plaintext, keys, tokens or signed headers. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Structured logging, one event a call. `event` is a stable dotted name such as `job.claimed`. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

/** The real clock; every process uses this one, tests their own. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
