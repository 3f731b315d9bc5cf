/**
 * How this coordinator behaves, with the strictest reading of the protocol as the default. Versions of the network's
 * coordinator differ; whatever a node must cope with can be switched on here.
 */
import type { UnknownNodeStatus } from "./refusal.ts";

export interface CoordinatorSettings {
  /** `early` offers a job to its verifiers at once, `late` only after the leader's result. */
  verifiers: "early" | "late";
  /** How long a claim lasts, and what a silent node has before it is no longer selected (protocol §1). */
  claimWindowSec: number;
  livenessSec: number;
  /** What a claim's answer promises, never more than the window; some versions say 120 and mean 300. */
  claimDeadlineSec: number;
  /** An assignment's deadline, from the job's creation. */
  jobDeadlineSec: number;
  certificateSec: number;
  challengeSec: number;
  /** How far a request's timestamp may be off, either way. */
  timestampToleranceSec: number;
  /** How long after enough equal hashes the others are waited for; 0 accepts at once. */
  waitForAllSec: number;
  /** How long a node's list of offers is cached; the network's coordinator caches up to 15 s. */
  listCacheSec: number;
  /** Prints an absent `outputCid` as the string "None". */
  noneString: boolean;
  /** Leaves the `0x` off a challenge's nonce. */
  bareNonce: boolean;
  /** Goes on showing QUEUED for a job that timed out. */
  queuedForever: boolean;
  unknownNodeStatus: UnknownNodeStatus;
}

export const STRICT: CoordinatorSettings = {
  verifiers: "early",
  claimWindowSec: 300,
  livenessSec: 300,
  claimDeadlineSec: 300,
  jobDeadlineSec: 600,
  certificateSec: 24 * 3_600,
  challengeSec: 120,
  timestampToleranceSec: 60,
  waitForAllSec: 0,
  listCacheSec: 0,
  noneString: false,
  bareNonce: false,
  queuedForever: false,
  unknownNodeStatus: 401,
};
