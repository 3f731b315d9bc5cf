/**
 * The slash guard's count. What costs stake is claiming and not delivering (protocol §1): three failures in a row take
 * all of it. After one the node takes jobs one at a time until one succeeds; after two it claims nothing until the
 * operator says so, and then is on probation, one at a time. The chain's count wins where it is higher and newer.
 */
import type { Job } from "../jobs/job.ts";

/** Stored with the node. */
export interface FailureCount {
  inARow: number;
  /** When the count last changed, ms: what the chain said earlier is older news. */
  changedAtMs: number;
  /** The count at which the operator last resumed the node: it pauses again above that. */
  accepted: number;
  /** The latest failures, newest first. */
  recent: { jobId: string; code: string; atMs: number }[];
}

export const NO_FAILURES: FailureCount = { inARow: 0, changedAtMs: 0, accepted: 0, recent: [] };

/** Failures in a row at which claiming stops: the next one would cost the stake. */
export const PAUSE_AT = 2;
const KEEP_RECENT = 10;

export type Standing = "failure" | "success" | "neutral";

/**
 * What a job's end says about this node. A failure is a job that failed after its claim, or a settled one in which our
 * hash lost; a success is one in which it won. A quorum that never said, or timed out after we delivered, says nothing.
 */
export function standingOf(
  job: Pick<Job, "state" | "times" | "claimSentAtMs" | "failure" | "outcome" | "role" | "verdict">,
): Standing {
  if (job.state === "failed") {
    return job.claimSentAtMs !== null && job.failure?.code !== "claim-refused" ? "failure" : "neutral";
  }
  if (job.state !== "settled") return "neutral";
  // A word that was never taken proves nothing in our favour, whatever the others agreed on.
  const delivered = job.times.submitted !== undefined;
  const withLeader = job.role === "leader" || job.verdict === "CONFIRM";
  if (job.outcome !== "accepted" && job.outcome !== "rejected") return "neutral";
  // Verifiers that agree among themselves against the leader: their hash was the right one.
  const right = withLeader === (job.outcome === "accepted");
  if (!right) return "failure";
  return delivered ? "success" : "neutral";
}

export function countJob(
  count: FailureCount,
  standing: Standing,
  job: { jobId: string; code: string },
  nowMs: number,
): FailureCount {
  if (standing === "neutral") return count;
  if (standing === "success") return { ...NO_FAILURES, changedAtMs: nowMs, recent: count.recent };
  const recent = [{ ...job, atMs: nowMs }, ...count.recent].slice(0, KEEP_RECENT);
  return { ...count, inARow: count.inARow + 1, changedAtMs: nowMs, recent };
}

/** The count that decides: the node's own, or the chain's where it is higher and was read after the last change. */
export function failuresInARow(
  count: FailureCount,
  chain: { consecutiveFailures: number; atMs: number } | null,
): number {
  if (chain === null || chain.atMs < count.changedAtMs) return count.inARow;
  return Math.max(count.inARow, chain.consecutiveFailures);
}

/** Whether claiming must stop until the operator resumes. */
export function mustPause(count: FailureCount, inARow: number): boolean {
  return inARow >= PAUSE_AT && inARow > count.accepted;
}

/** After a failure, and on probation, only one job is held at a time. */
export function oneAtATime(inARow: number): boolean {
  return inARow > 0;
}

/** The operator's resume: what has happened so far is accepted, one more failure pauses again. */
export function acceptFailures(count: FailureCount, inARow: number): FailureCount {
  return { ...count, accepted: inARow };
}
