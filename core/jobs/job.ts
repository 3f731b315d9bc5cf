/**
 * A job's record: everything the node knows about one assignment, as plain JSON, saved before any effect runs.
 * It holds no plaintext: handles, digests, CIDs and wrapped keys only. `schema` names the shape of the row, so that a
 * deploy in the middle of a job carries it on; `version` rises with every change and guards every write.
 */
import type { ErrorCode } from "../errors.ts";
import type { EncryptedOutputKey } from "../executor/executor.ts";
import type { Assignment, Role } from "../icl/schema.ts";

export const JOB_SCHEMA = 2;

export const JOB_STATES = [
  "offered",
  "claimed",
  "answered",
  "published",
  "granted",
  "matched",
  "submitted",
  "settled",
  "failed",
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** What the quorum made of a submitted job; `unknown` where the coordinator never said. */
export const OUTCOMES = ["accepted", "rejected", "disputed", "timedout", "unknown"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export type Verdict = "CONFIRM" | "REJECT";

/** The work that leaves a state. Every effect may run twice. */
export const EFFECTS = [
  "claim",
  "execute",
  "encrypt-key",
  "find-leader",
  "pin",
  "commit",
  "grant",
  "submit",
  "follow",
] as const;
export type EffectKind = (typeof EFFECTS)[number];

/** How an effect has fared so far; dropped once it succeeds. Attempts count failures, waits are not failures. */
export interface EffectProgress {
  attempts: number;
  waits: number;
  notBeforeMs: number;
  lastError?: { code: ErrorCode; message: string; hint: string };
}

/** The prompt key's two halves: uint256 handles in decimal. */
export interface KeyHandles {
  high: string;
  low: string;
}

/** Why a job failed: a stable code, what happened, and what the operator can do. */
export interface JobFailure {
  code: ErrorCode;
  message: string;
  hint: string;
  /** The state the job failed in. */
  in: JobState;
}

export interface Job {
  schema: typeof JOB_SCHEMA;
  version: number;
  /** EIP-55 address of the node. */
  node: string;
  /** The coordinator's task id: opaque, case-sensitive. */
  jobId: string;
  role: Role;
  modelId: string;
  promptCid: string;
  userAddress: string;
  insuranceOptIn: boolean;
  state: JobState;
  /** When each state was entered, ms since the epoch. */
  times: Partial<Record<JobState, number>>;
  /** The assignment's own deadline, ms. */
  assignmentDeadlineMs: number;
  /** When the result must be with the coordinator, margin already taken off; before the claim, the last moment to claim. */
  deadlineMs: number;
  /** When the first claim may have reached the coordinator, ms: from here on, silence can cost stake. */
  claimSentAtMs: number | null;
  /** What the offer itself said of the handles; null where it said nothing. For a claim whose answer was lost. */
  offeredHandles: KeyHandles | null;
  /** The claim's. */
  keyHandles: KeyHandles | null;
  /** Leader: the output key, wrapped. Deleted at the end of the job. */
  outputKey: string | null;
  encryptedKey: EncryptedOutputKey | null;
  /** SHA-256 of the normalised answer, 64 hex. */
  answerDigest: string | null;
  /** Leader: our pinned output. Verifier: the leader's. */
  outputCid: string | null;
  leaderCommitment: string | null;
  /** Our own commitment, 64 lowercase hex, once the guard has recorded it. */
  commitment: string | null;
  verdict: Verdict | null;
  grantTx: string | null;
  outcome: Outcome | null;
  failure: JobFailure | null;
  work: Partial<Record<EffectKind, EffectProgress>>;
  /** Milliseconds by executor step. */
  timingsMs: Record<string, number>;
}

/** The latest moment to send a claim before the assignment's deadline: less time than this cannot hold a job. */
export const CLAIM_LEAD_MS = 45_000;

/** However far off an assignment's deadline is, its job ends within a day: the protocol gives ten minutes. */
const LONGEST_JOB_MS = 24 * 3_600_000;

/** A job as first saved: offered by the coordinator, nothing done yet. */
export function newJob(node: string, offer: Assignment, nowMs: number): Job {
  const assignmentDeadlineMs = Math.min(offer.deadline * 1000, nowMs + LONGEST_JOB_MS);
  const { kpHighHandle: high, kpLowHandle: low } = offer;
  return {
    schema: JOB_SCHEMA,
    version: 1,
    node,
    jobId: offer.jobId,
    role: offer.role,
    modelId: offer.modelId,
    promptCid: offer.promptCid,
    userAddress: offer.userAddress,
    insuranceOptIn: offer.insuranceOptIn,
    state: "offered",
    times: { offered: nowMs },
    assignmentDeadlineMs,
    deadlineMs: assignmentDeadlineMs - CLAIM_LEAD_MS,
    claimSentAtMs: null,
    offeredHandles: high === 0n || low === 0n ? null : { high: String(high), low: String(low) },
    keyHandles: null,
    outputKey: null,
    encryptedKey: null,
    answerDigest: null,
    outputCid: null,
    leaderCommitment: null,
    commitment: null,
    verdict: null,
    grantTx: null,
    outcome: null,
    failure: null,
    work: {},
    timingsMs: {},
  };
}

export function isFinalState(state: JobState): boolean {
  return state === "settled" || state === "failed";
}

export function isFinal(job: Job): boolean {
  return isFinalState(job.state);
}

/**
 * Whether the job still needs a slot. A verifier that only waits for its leader needs none: were it to keep one, nodes
 * that lead and verify each other's jobs could wait for one another until all of them fail.
 */
export function holdsSlot(role: Role, state: JobState): boolean {
  return state === "offered" || state === "claimed" || (role === "leader" && isUnsubmitted(state));
}

/** Whether the coordinator still waits for this node's word. */
export function isUnsubmitted(state: JobState): boolean {
  return state !== "submitted" && state !== "settled" && state !== "failed";
}

/** Whether the Node object must hear of a job's entering this state: a slot is free, or its word is given, or it is over. */
export function concernsNode(role: Role, state: JobState): boolean {
  return !isUnsubmitted(state) || (state === "answered" && !holdsSlot(role, state));
}

/** What the Node object is told of a job. */
export interface JobReport {
  jobId: string;
  role: Role;
  modelId: string;
  state: JobState;
  outcome: Outcome | null;
  failure: JobFailure | null;
  /** What the job's end says about this node (core/node/failures.ts). */
  standing: "failure" | "success" | "neutral";
}
