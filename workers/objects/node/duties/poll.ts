/**
 * Polls for assignments and takes on what it can serve. An offer is saved in the node's index, then handed to its
 * Assignment object, which saves its own row before it claims: no claimed job can be forgotten in between.
 */

import { toFailure } from "../../../../core/errors.ts";
import { failpoint } from "../../../../core/failpoint.ts";
import type { Assignment as Offer } from "../../../../core/icl/schema.ts";
import { admit, type Capacity } from "../../../../core/node/admission.ts";
import { assignmentName } from "../../names.ts";
import { type NodeContext, tell } from "../context.ts";
import { noteCoordinatorUp, noteDependencyFailure } from "../dependencies.ts";
import { brokenDependency, holdsOf, onProbation } from "../guards.ts";
import type { IndexedJob } from "../job-index.ts";
import { suspectForgotten } from "./coordinator.ts";
import { servesModel } from "./models.ts";

/** Reasons kept so that a refused offer is told once; the coordinator repeats an offer at every poll. */
const REMEMBER_REFUSALS = 500;

export async function pollDuty(context: NodeContext): Promise<void> {
  await handOver(context);
  if (context.store.get("certificate") === null) return;
  try {
    const { assignments, rejected } = await context.icl.assignments();
    for (const { reason } of rejected) refuseOnce(context, `malformed:${reason}`, "malformed", reason);
    // Leaders first: their work is what the others of their quorum wait for.
    const offers = assignments.toSorted((a, b) => a.role.localeCompare(b.role));
    const correctionSec = Math.round(context.icl.clockCorrectionMs() / 1000);
    // Deadlines come in the coordinator's time; everything here is in ours.
    for (const offer of offers) consider(context, { ...offer, deadline: offer.deadline - correctionSec });
    context.live.lastPollOkMs = context.kit.clock.now();
    noteCoordinatorUp(context);
  } catch (error) {
    suspectForgotten(context, error);
    noteDependencyFailure(context, "", toFailure(error));
    throw error;
  }
  if (__FAILPOINTS__ && context.jobs.unhanded().length > 0) await failpoint("offer.indexed", context.signer.address);
  await handOver(context);
}

function consider(context: NodeContext, offer: Offer): void {
  const { jobs, kit, signer } = context;
  const known = jobs.get(offer.jobId);
  if (known !== null) {
    noteChange(context, known, offer);
    return;
  }
  const admitted = admit(offer, capacityOf(context), kit.clock.now());
  if (!admitted.ok) {
    refuseOnce(context, offer.jobId, admitted.refusal.reason, admitted.refusal.message, offer);
    return;
  }
  jobs.add(offer, kit.clock.now());
  context.live.refused.delete(offer.jobId);
  kit.log("info", "offer.taken", { node: signer.address, jobId: offer.jobId, role: offer.role, model: offer.modelId });
}

export function capacityOf(context: NodeContext): Capacity {
  const { kit, store, jobs } = context;
  const { settings } = kit;
  return {
    holds: holdsOf(context),
    draining: store.get("draining") === true,
    freeSlots: slotsOf(context) - jobs.open().length,
    onProbation: onProbation(store),
    unfinishedJobs: jobs.unfinished().length,
    roles: settings.roles,
    servesModel: (modelId) => servesModel(context, modelId),
    canEncryptOutputKey: context.canEncryptOutputKey(),
    brokenDependency: (role, modelId) => brokenDependency(context, role, modelId),
  };
}

/** As many as the settings allow, and no more than the sidecar can work on at once. */
export function slotsOf({ kit, live }: NodeContext): number {
  return Math.min(kit.settings.maxConcurrentJobs, live.sidecar?.capacity.slots ?? Number.POSITIVE_INFINITY);
}

/** The coordinator repeats an offer until it is claimed. One that comes back different is not the one we hold. */
function noteChange(context: NodeContext, known: IndexedJob, offer: Offer): void {
  if (known.role === offer.role && known.modelId === offer.modelId) return;
  const message = `the coordinator offered it as ${known.role} for ${known.modelId} before; that is what this node does`;
  refuseOnce(context, `changed:${offer.jobId}`, "changed", message, offer);
}

/** Hands saved offers to their Assignment objects; those that do not answer are tried again at the next poll. */
async function handOver(context: NodeContext): Promise<void> {
  const { env, jobs, signer, kit } = context;
  await Promise.all(
    jobs.unhanded().map(async (offer) => {
      try {
        const stub = env.ASSIGNMENT.getByName(assignmentName(signer.address, offer.jobId));
        await stub.offer(signer.address, offer);
        if (__FAILPOINTS__) await failpoint("offer.handed", signer.address, offer.jobId);
        jobs.handed(offer.jobId);
      } catch (error) {
        const reason = toFailure(error).message;
        kit.log("warn", "offer.not-handed", { node: signer.address, jobId: offer.jobId, reason });
      }
    }),
  );
}

function refuseOnce(context: NodeContext, key: string, reason: string, message: string, offer?: Offer): void {
  const { refused } = context.live;
  if (refused.get(key) === reason) return;
  refused.set(key, reason);
  const oldest = refused.keys().next();
  if (refused.size > REMEMBER_REFUSALS && !oldest.done) refused.delete(oldest.value);
  tell(context, "info", "offer.left", {
    reason,
    message,
    ...(offer === undefined ? {} : { jobId: offer.jobId, role: offer.role, model: offer.modelId }),
  });
}
