/**
 * The job machine: `step(job, event, now)` is pure and total. It gives the next job and the effects that are due from
 * there; the shell saves the job first and performs afterwards. An event that does not fit the state (a duplicate, a
 * late answer) changes nothing. No event moves a job backwards, and a final state never changes.
 * The table it implements is docs/design/job.md.
 */
import type { Failure } from "../errors.ts";
import type { EncryptedOutputKey } from "../executor/executor.ts";
import {
  type EffectKind,
  isFinal,
  type Job,
  type JobState,
  type KeyHandles,
  type Outcome,
  type Verdict,
} from "./job.ts";
import { MAX_ATTEMPTS, retryDelayMs, SUBMIT_MARGIN_MS, waitDelayMs } from "./policy.ts";

export type JobEvent =
  | { type: "claim-sent" }
  | {
      type: "claimed";
      keyHandles: KeyHandles;
      outputKey: string | null;
      claimDeadlineSec?: number;
      /** When the claim that counts was sent. */
      sentAtMs: number;
    }
  | { type: "executed"; answerDigest: string; timingsMs: Record<string, number> }
  | { type: "key-encrypted"; encryptedKey: EncryptedOutputKey }
  | { type: "leader-found"; outputCid: string; leaderCommitment: string | null }
  | { type: "pinned"; outputCid: string }
  | { type: "committed"; commitment: string; verdict: Verdict | null }
  | { type: "granted"; tx: string | null }
  | { type: "submitted" }
  | { type: "finalized"; outcome: Outcome }
  /** Nothing wrong, but not there yet: ask again later. */
  | { type: "wait"; effect: EffectKind }
  | { type: "effect-failed"; effect: EffectKind; failure: Failure }
  /** Time has passed. */
  | { type: "tick" };

/** An effect and the earliest moment to perform it, ms since the epoch. */
export interface Effect {
  kind: EffectKind;
  notBeforeMs: number;
}

export interface Step {
  job: Job;
  effects: Effect[];
}

/** The window a claim gives (protocol §1), used when the coordinator names no deadline or a later one. */
export const CLAIM_WINDOW_MS = 300_000;
/** However early the quorum's own deadline falls, a submitted job is followed at least this long. */
const FOLLOW_AT_LEAST_MS = 60_000;

/**
 * @param job the saved job
 * @param event what happened
 * @param nowMs milliseconds since the epoch
 * @returns the same object when nothing changed, else a copy with `version` one higher; and the effects now due
 */
export function step(job: Job, event: JobEvent, nowMs: number): Step {
  const applied = isFinal(job) ? job : expire(apply(job, event, nowMs), nowMs);
  const next = applied === job ? job : { ...applied, version: job.version + 1 };
  return { job: next, effects: effectsOf(next) };
}

/** The effects that leave the job's state, in the order to start them. Derived from the job alone, so a restart resumes. */
export function effectsOf(job: Job): Effect[] {
  return kindsOf(job).map((kind) => ({ kind, notBeforeMs: job.work[kind]?.notBeforeMs ?? 0 }));
}

/** When the job needs attention although nothing happens: its deadline or the end of following. Null once final. */
export function horizonMs(job: Job): number | null {
  if (isFinal(job)) return null;
  if (job.state !== "submitted") return job.deadlineMs;
  return Math.max(job.assignmentDeadlineMs, (job.times.submitted ?? 0) + FOLLOW_AT_LEAST_MS);
}

function kindsOf(job: Job): EffectKind[] {
  const leader = job.role === "leader";
  const encryptKey: EffectKind[] = leader && job.encryptedKey === null ? ["encrypt-key"] : [];
  switch (job.state) {
    case "offered":
      return ["claim"];
    case "claimed":
      if (leader) return ["execute", ...encryptKey];
      return job.outputCid === null ? ["execute", "find-leader"] : ["execute"];
    case "answered":
      if (leader) return [job.outputCid === null ? "pin" : "commit", ...encryptKey];
      return job.outputCid === null ? ["find-leader"] : ["commit"];
    case "published":
      return job.encryptedKey === null ? ["encrypt-key"] : ["grant"];
    case "granted":
    case "matched":
      return ["submit"];
    case "submitted":
      return ["follow"];
    case "settled":
    case "failed":
      return [];
  }
}

function apply(job: Job, event: JobEvent, nowMs: number): Job {
  switch (event.type) {
    case "claim-sent":
      return job.state === "offered" && job.claimSentAtMs === null ? { ...job, claimSentAtMs: nowMs } : job;
    case "claimed":
      return job.state === "offered" ? claimed(job, event, nowMs) : job;
    case "executed": {
      if (job.state !== "claimed") return job;
      const executed = { ...job, answerDigest: event.answerDigest, timingsMs: event.timingsMs };
      return enter(done(executed, "execute"), "answered", nowMs);
    }
    case "key-encrypted":
      if (job.role !== "leader" || job.encryptedKey !== null || !kindsOf(job).includes("encrypt-key")) return job;
      return done({ ...job, encryptedKey: event.encryptedKey }, "encrypt-key");
    case "leader-found":
      if (!kindsOf(job).includes("find-leader")) return job;
      return done({ ...job, outputCid: event.outputCid, leaderCommitment: event.leaderCommitment }, "find-leader");
    case "pinned":
      if (!kindsOf(job).includes("pin")) return job;
      return done({ ...job, outputCid: event.outputCid }, "pin");
    case "committed":
      return kindsOf(job).includes("commit") ? committed(job, event, nowMs) : job;
    case "granted":
      if (!kindsOf(job).includes("grant")) return job;
      return enter(done({ ...job, grantTx: event.tx }, "grant"), "granted", nowMs);
    case "submitted":
      return kindsOf(job).includes("submit") ? enter(done(job, "submit"), "submitted", nowMs) : job;
    case "finalized":
      return job.state === "offered" ? job : enter({ ...job, outcome: event.outcome }, "settled", nowMs);
    case "wait":
      return kindsOf(job).includes(event.effect) ? waited(job, event.effect, nowMs) : job;
    case "effect-failed":
      return kindsOf(job).includes(event.effect) ? failedOnce(job, event.effect, event.failure, nowMs) : job;
    case "tick":
      return job;
  }
}

function claimed(job: Job, event: Extract<JobEvent, { type: "claimed" }>, nowMs: number): Job {
  const windowEnd = event.sentAtMs + CLAIM_WINDOW_MS;
  const named = event.claimDeadlineSec === undefined ? windowEnd : event.claimDeadlineSec * 1000;
  const deadlineMs = Math.min(named, job.assignmentDeadlineMs, windowEnd) - SUBMIT_MARGIN_MS;
  const { keyHandles, outputKey, sentAtMs } = event;
  const next: Job = { ...job, claimSentAtMs: job.claimSentAtMs ?? sentAtMs, deadlineMs, keyHandles, outputKey };
  if (BigInt(event.keyHandles.high) === 0n || BigInt(event.keyHandles.low) === 0n) {
    return fail(
      next,
      {
        code: "key-unavailable",
        message: "the coordinator gave no prompt key for this job (handle 0)",
        hint: "The coordinator does not know the job or the user stored no key. Nothing to do on this node.",
      },
      nowMs,
    );
  }
  return enter(done(next, "claim"), "claimed", nowMs);
}

function committed(job: Job, event: Extract<JobEvent, { type: "committed" }>, nowMs: number): Job {
  const next = done({ ...job, commitment: event.commitment, verdict: event.verdict }, "commit");
  return enter(next, job.role === "leader" ? "published" : "matched", nowMs);
}

function waited(job: Job, effect: EffectKind, nowMs: number): Job {
  const progress = job.work[effect] ?? { attempts: 0, waits: 0, notBeforeMs: 0 };
  const { lastError: _recovered, ...rest } = progress;
  const waits = progress.waits + 1;
  const next = { ...rest, waits, notBeforeMs: nowMs + waitDelayMs(effect, waits) };
  return { ...job, work: { ...job.work, [effect]: next } };
}

function failedOnce(job: Job, effect: EffectKind, failure: Failure, nowMs: number): Job {
  const lastError = { code: failure.code, message: failure.message, hint: failure.hint };
  if (failure.retry === "never") return fail(job, lastError, nowMs);
  const progress = job.work[effect] ?? { attempts: 0, waits: 0, notBeforeMs: 0 };
  const attempts = progress.attempts + 1;
  const notBeforeMs = nowMs + Math.max(retryDelayMs(attempts), failure.retryAfterMs ?? 0);
  const end = horizonMs(job) ?? nowMs;
  if (effect !== "follow" && (attempts >= MAX_ATTEMPTS || notBeforeMs >= end)) {
    return fail(job, outOfTime(job, effect, lastError), nowMs);
  }
  return { ...job, work: { ...job.work, [effect]: { ...progress, attempts, notBeforeMs, lastError } } };
}

/** A job past its horizon ends: submitted ones as unknown, others as failed. */
function expire(job: Job, nowMs: number): Job {
  const end = horizonMs(job);
  if (end === null || nowMs < end) return job;
  if (job.state === "submitted") return enter({ ...job, outcome: "unknown" }, "settled", nowMs);
  const waitingForLeader = job.role === "verifier" && job.outputCid === null && job.answerDigest !== null;
  if (waitingForLeader && job.work["find-leader"]?.lastError === undefined) {
    return fail(
      job,
      {
        code: "leader-absent",
        message: "the leader recorded no result before this job's deadline",
        hint: "The leader's node failed. Nothing to do on this node; the answer it computed is discarded.",
      },
      nowMs,
    );
  }
  const kinds = kindsOf(job);
  const struggling = kinds.find((kind) => job.work[kind]?.lastError !== undefined) ?? kinds[0] ?? "follow";
  return fail(job, outOfTime(job, struggling, job.work[struggling]?.lastError), nowMs);
}

function outOfTime(
  job: Job,
  effect: EffectKind,
  last: { code: string; message: string; hint: string } | undefined,
): { code: "deadline"; message: string; hint: string } {
  const what = `no time left for ${effect} (state ${job.state})`;
  if (last === undefined) {
    return {
      code: "deadline",
      message: what,
      hint:
        effect === "grant"
          ? "The storeKey transaction was not mined in time: see GET /api/transactions, and check BLF_RPC_URL and the fees."
          : "The step took longer than the claim allows: see the job's times.",
    };
  }
  return { code: "deadline", message: `${what}; last error ${last.code}: ${last.message}`, hint: last.hint };
}

function enter(job: Job, state: JobState, nowMs: number): Job {
  const next = { ...job, state, times: { ...job.times, [state]: nowMs } };
  return state === "settled" || state === "failed" ? { ...next, outputKey: null, work: {} } : next;
}

function fail(job: Job, reason: { code: Failure["code"]; message: string; hint: string }, nowMs: number): Job {
  return enter({ ...job, failure: { ...reason, in: job.state } }, "failed", nowMs);
}

function done(job: Job, effect: EffectKind): Job {
  const { [effect]: _finished, ...work } = job.work;
  return { ...job, work };
}
