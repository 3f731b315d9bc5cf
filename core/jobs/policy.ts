/**
 * How long a job waits before it tries again, and how much room it leaves. Every number has its reason beside it.
 * Delays carry no jitter: a job's effects are few and its moments come from the network anyway.
 */
import { backoffMs } from "../retry.ts";
import type { EffectKind } from "./job.ts";

/** Room between our deadline and the coordinator's: a submission, one retry, and a clock that is a little off. */
export const SUBMIT_MARGIN_MS = 10_000;

/** A hard end to retries within a deadline that may be hours away (protocol §1 names 600 s, a coordinator may differ). */
export const MAX_ATTEMPTS = 60;

/** Delay after the n-th failure of an effect: 0.5 s doubling to 15 s. */
export function retryDelayMs(attempt: number): number {
  return backoffMs(attempt, { baseMs: 500, maxMs: 15_000 });
}

/** Delay before asking again for something that is not there yet: 0.5 s doubling to 10 s (protocol §1). */
export function waitDelayMs(_effect: EffectKind, waits: number): number {
  return backoffMs(waits, { baseMs: 500, maxMs: 10_000 });
}
