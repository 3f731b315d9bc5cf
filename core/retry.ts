/**
 * The one retry loop and the one back-off. They decide nothing about what deserves another try: `shouldRetry` and the
 * numbers are policy and belong to the call site. Durable work keeps its own counts (core/jobs) and only takes the delay.
 */
import type { Clock } from "./ports.ts";

export interface BackoffOptions {
  /** After the first failure. */
  baseMs: number;
  maxMs: number;
  /** A source of numbers in [0, 1) that spreads the delay over its upper half; none means no jitter. */
  jitter?: () => number;
}

export interface RetryOptions {
  /** All tries, the first one included. */
  attempts: number;
  /** Delay after the `attempt`-th failure, counted from 1, in ms. */
  delayMs(attempt: number, error: unknown): number;
  /** Default: every failure is worth another try. */
  shouldRetry?(error: unknown, attempt: number): boolean;
  signal?: AbortSignal | undefined;
  sleep: Clock["sleep"];
}

/** `baseMs` after the first failure, doubling to `maxMs`. `attempt` counts failures from 1. */
export function backoffMs(attempt: number, { baseMs, maxMs, jitter }: BackoffOptions): number {
  const delayMs = Math.min(baseMs * 2 ** Math.max(attempt - 1, 0), maxMs);
  return jitter === undefined ? delayMs : Math.round(delayMs * (0.5 + jitter() / 2));
}

/**
 * Runs `work` until it succeeds, its failure is not worth another try, or the attempts are used up.
 * @throws the last failure, or the signal's reason
 */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (attempt >= options.attempts || options.shouldRetry?.(error, attempt) === false) throw error;
      await options.sleep(options.delayMs(attempt, error), options.signal);
    }
  }
}
