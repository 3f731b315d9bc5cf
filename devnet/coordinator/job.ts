/**
 * One job and its members: who is offered what, who has claimed, and who has committed to which hash. Pure bookkeeping at
 * a given time. Refuses strangers, work that was never claimed or came too late, and a second, different commitment, which
 * is put on record. Invariant: a member's commitment never changes once it is there.
 */
import type { Address, Hex } from "viem";
import type { Role } from "../../core/icl/schema.ts";
import { ok, type Result } from "../../core/result.ts";
import { decide, type Outcome, type Vote } from "./consensus.ts";
import type { KeyHandles } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

export interface Commitment {
  /** 64 lowercase hex digits. */
  hash: string;
  atMs: number;
  /** Verifiers only. */
  verdict?: "CONFIRM" | "REJECT";
  confidence?: number;
}

export interface Member {
  node: Address;
  role: Role;
  /** Every claim; the last one counts. */
  claimsMs: number[];
  commitment: Commitment | null;
  /** When its claim ran out. */
  failedAtMs: number | null;
}

export interface JobOutput {
  cid: string;
  keyHandles: { high: string; low: string };
  storeTx: Hex | null;
}

export interface Job {
  /** On the wire: opaque, as the user or the coordinator chose it. */
  id: string;
  /** The same on chain, where it is a bytes32. */
  taskId: Hex;
  modelId: string;
  promptCid: string;
  user: Address;
  insuranceOptIn: boolean;
  promptKey: KeyHandles;
  /** The leader first. */
  members: Member[];
  createdAtMs: number;
  deadlineMs: number;
  output: JobOutput | null;
  /** What was decided; it shows in the status once the chain has it too. */
  outcome: Outcome | null;
  decidedAtMs: number | null;
  /** Since when there are enough equal hashes. */
  matchedAtMs: number | null;
  published: boolean;
  resultTx: Hex | null;
}

/** Two different hashes of one node for one job: what a commit guard exists to prevent. */
export interface DoubleCommitment {
  jobId: string;
  node: Address;
  role: Role;
  first: string;
  second: string;
  atMs: number;
}

export function votes(job: Job): Vote[] {
  return job.members.map(({ commitment, failedAtMs }) => ({
    hash: commitment?.hash ?? null,
    failed: failedAtMs !== null,
  }));
}

export function memberOf(job: Job, node: Address): Result<Member, Refusal> {
  const member = job.members.find((one) => one.node === node);
  return member === undefined ? refusal("forbidden", "this node is not in the job's quorum") : ok(member);
}

/** Whether the job is to be offered to the node now: never again once claimed. */
export function isOffered(job: Job, node: Address, verifiers: "early" | "late", nowMs: number): boolean {
  const member = job.members.find((one) => one.node === node);
  if (member === undefined || member.claimsMs.length > 0 || job.outcome !== null || nowMs >= job.deadlineMs)
    return false;
  return member.role === "leader" || verifiers === "early" || job.members[0]?.commitment !== null;
}

/** Claims, or restarts the window of a claim. Refuses strangers, a claim that ran out, and a job that is over. */
export function claim(job: Job, node: Address, nowMs: number): Result<Member, Refusal> {
  const member = memberOf(job, node);
  if (!member.ok) return member;
  const { commitment, failedAtMs, claimsMs } = member.value;
  // Nothing is pending any more: a repeated claim is answered and changes nothing.
  if (commitment !== null) return member;
  if (failedAtMs !== null) return refusal("conflict", "the claim ran out and this node failed the job");
  // A repeat after the decision is answered: its first answer may be lost, and what it owes is taken still (`commit`).
  const decided = job.outcome === "timedout" || (job.outcome !== null && claimsMs.length === 0);
  if (decided || nowMs >= job.deadlineMs) return refusal("conflict", "the job is over");
  claimsMs.push(nowMs);
  return member;
}

/**
 * Records a commitment. `repeated` is the same hash again. A different one is refused and put on `record`, whatever has
 * become of the job. A verdict before the leader's result is taken, and so is one after the decision, within its window.
 */
export function commit(
  job: Job,
  member: Member,
  commitment: Commitment,
  record: DoubleCommitment[],
): Result<"recorded" | "repeated", Refusal> {
  const { node, role, claimsMs, failedAtMs, commitment: first } = member;
  if (first !== null && first.hash !== commitment.hash) {
    record.push({ jobId: job.id, node, role, first: first.hash, second: commitment.hash, atMs: commitment.atMs });
    return refusal("conflict", "this node has committed to a different hash for this job");
  }
  if (first !== null) return ok("repeated");
  if (claimsMs.length === 0) return refusal("conflict", "the job was not claimed by this node");
  if (failedAtMs !== null) return refusal("conflict", "the claim ran out and this node failed the job");
  if (job.outcome === "timedout" || commitment.atMs >= job.deadlineMs) return refusal("conflict", "the job is over");
  member.commitment = commitment;
  return ok("recorded");
}

/** Marks the members whose claim ran out, and gives them. */
export function expireClaims(job: Job, nowMs: number, windowMs: number): Member[] {
  const expired = job.members.filter(({ claimsMs, commitment, failedAtMs }) => {
    const claimedAtMs = claimsMs.at(-1);
    return claimedAtMs !== undefined && commitment === null && failedAtMs === null && nowMs >= claimedAtMs + windowMs;
  });
  for (const member of expired) member.failedAtMs = nowMs;
  return expired;
}

/**
 * Decides the job if it can be decided now, and gives the outcome. With `waitMs` an agreement stands that long before it
 * is final, unless everyone has answered.
 */
export function conclude(job: Job, nowMs: number, waitMs: number): Outcome | null {
  if (job.outcome !== null) return job.outcome;
  const outcome = decide(votes(job)) ?? (nowMs >= job.deadlineMs ? "timedout" : null);
  if (outcome === null) return null;
  if (outcome === "accepted") {
    job.matchedAtMs ??= nowMs;
    const open = job.members.some(({ commitment, failedAtMs }) => commitment === null && failedAtMs === null);
    if (open && nowMs < Math.min(job.matchedAtMs + waitMs, job.deadlineMs)) return null;
  }
  job.outcome = outcome;
  job.decidedAtMs = nowMs;
  return outcome;
}
