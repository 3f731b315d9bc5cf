/**
 * Which offers a node claims. What costs stake is claiming and not delivering (protocol §1), so everything a job needs
 * is checked here, before the claim. An offer left alone costs nothing; the reason is recorded once a job.
 */

import type { Assignment, Role } from "../icl/schema.ts";
import { parseCid } from "../ipfs/cid.ts";
import { CLAIM_LEAD_MS } from "../jobs/job.ts";
import { ok, type Result, refuse } from "../result.ts";
import type { Hold } from "./holds.ts";

/** What the node can do at this moment. */
export interface Capacity {
  /** Whatever keeps the node from claiming now (core/node/holds.ts). */
  holds: readonly Hold[];
  draining: boolean;
  freeSlots: number;
  /** After a failure only one job is held at a time: whether there is one. */
  onProbation: boolean;
  unfinishedJobs: number;
  roles: readonly Role[];
  /** Whether this node can really run the model, now. */
  servesModel(modelId: string): boolean;
  /** Whether a leader's output key can be encrypted on this chain by this deployment. */
  canEncryptOutputKey: boolean;
  /** What the job would need and cannot be relied on now: a service that failed three times in a row. */
  brokenDependency(role: Role, modelId: string): string | null;
}

export interface OfferRefusal {
  reason:
    | "paused"
    | "draining"
    | "probation"
    | "no-slot"
    | "role"
    | "model"
    | "output-key"
    | "leader-held"
    | "dependency"
    | "no-time"
    | "bad-cid";
  message: string;
}

export function admit(offer: Assignment, capacity: Capacity, nowMs: number): Result<null, OfferRefusal> {
  const no = (reason: OfferRefusal["reason"], message: string) => refuse<OfferRefusal>({ reason, message });
  const held = capacity.holds.find(({ blocks }) => blocks === "everything");
  if (held !== undefined) return no("paused", `the node is paused (${held.code}): ${held.reason}`);
  if (capacity.draining) return no("draining", "the node is draining: it finishes what it has and takes nothing new");
  if (!capacity.roles.includes(offer.role)) return no("role", `BLF_ROLES does not include ${offer.role}`);
  if (!capacity.servesModel(offer.modelId)) return no("model", "this node cannot run the model");
  if (offer.deadline * 1000 - CLAIM_LEAD_MS <= nowMs)
    return no("no-time", "too little time is left before the deadline");
  if (!parseCid(offer.promptCid).ok) return no("bad-cid", "the prompt's CID is not one this node can check");
  if (offer.role === "leader" && !capacity.canEncryptOutputKey) {
    return no("output-key", "this deployment cannot encrypt a leader's output key on this chain");
  }
  const leading = capacity.holds.find(({ blocks }) => blocks === "leader");
  if (offer.role === "leader" && leading !== undefined) {
    return no("leader-held", `no job is led now (${leading.code}): ${leading.reason}`);
  }
  const broken = capacity.brokenDependency(offer.role, offer.modelId);
  if (broken !== null) return no("dependency", `${broken} failed three times in a row and has not come back yet`);
  if (capacity.onProbation && capacity.unfinishedJobs > 0) {
    return no("probation", "after a failed job only one is taken at a time until one succeeds");
  }
  if (capacity.freeSlots <= 0) return no("no-slot", "all slots are taken (BLF_MAX_CONCURRENT_JOBS)");
  return ok(null);
}
