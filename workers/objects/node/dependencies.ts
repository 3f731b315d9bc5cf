/**
 * The node's circuit breakers: what the jobs' failures and the probes say of each service, kept with the node so that a
 * restart does not forget. A service that is open is asked whether it is back; where there is no free way to ask, the
 * next job is the probe.
 */
import { chainCall } from "../../../core/chain/errors.ts";
import { type ErrorCode, toFailure } from "../../../core/errors.ts";
import type { Role } from "../../../core/icl/schema.ts";
import { holdsSlot, isUnsubmitted, type JobState } from "../../../core/jobs/job.ts";
import {
  type Breaker,
  type Breakers,
  type Dependency,
  dependencyOf,
  failed,
  type JobNeeds,
  needsOf,
  probeDue,
  probed,
  succeeded,
} from "../../../core/node/breakers.ts";
import type { Kit } from "../../wiring.ts";
import { type NodeContext, tell } from "./context.ts";
import { examineBackends } from "./duties/models.ts";

/** What a breaker keeps of a failure. */
export interface DependencyFailure {
  code: ErrorCode;
  message: string;
  hint: string;
  retryAfterMs?: number;
}

/** A job's effect failed: it may speak of a service. */
export function noteDependencyFailure(context: NodeContext, modelId: string, failure: DependencyFailure): void {
  const name = dependencyOf(failure.code, modelId);
  if (name !== null) update(context, name, failed(breakersOf(context)[name], failure, context.kit.clock.now()));
}

/** A job got so far that its services must have answered. */
export function noteDependencySuccess(context: NodeContext, role: Role, modelId: string, state: JobState): void {
  const worked = !isUnsubmitted(state) && state !== "failed";
  if (!worked && (state !== "answered" || holdsSlot(role, state))) return;
  if (state === "settled") return;
  const breakers = breakersOf(context);
  for (const name of needsOf(role, modelId, jobNeeds(context.kit.settings))) {
    if (breakers[name] !== undefined) update(context, name, succeeded(breakers[name], context.kit.clock.now()));
  }
}

/** The coordinator answered a poll, which is all that it takes to be back: offers come no other way. */
export function noteCoordinatorUp(context: NodeContext): void {
  const { icl } = breakersOf(context);
  if (icl !== undefined) update(context, "icl", succeeded(icl, context.kit.clock.now()));
}

/** The sidecar answered; where it had failed, a job has yet to show that it works. */
export function noteSidecarUp(context: NodeContext): void {
  const { sidecar } = breakersOf(context);
  if (sidecar?.state === "closed") update(context, "sidecar", succeeded(sidecar, context.kit.clock.now()));
}

/** @returns whether to ask again soon: it is not known yet to be down */
export function noteSidecarDown(context: NodeContext, error: unknown): boolean {
  const failure = toFailure(error);
  if (dependencyOf(failure.code, "") !== "sidecar") return false;
  noteDependencyFailure(context, "", failure);
  return breakersOf(context).sidecar?.state === "closed";
}

/** Probes whatever is due. One at a time each; a probe's failure keeps its breaker open. */
export async function probesDuty(context: NodeContext): Promise<void> {
  const due = Object.entries(breakersOf(context)) as [Dependency, Breaker][];
  const nowMs = context.kit.clock.now();
  await Promise.all(due.filter(([, breaker]) => probeDue(breaker, nowMs)).map(([name]) => probeOne(context, name)));
}

async function probeOne(context: NodeContext, name: Dependency): Promise<void> {
  const error = await ask(context, name).then(
    () => null,
    (reason: unknown) => toFailure(reason),
  );
  const breaker = breakersOf(context)[name];
  if (breaker !== undefined) update(context, name, probed(breaker, error, context.kit.clock.now()));
}

/** A question that costs nothing. Resolves at once where there is none. */
async function ask(context: NodeContext, name: Dependency): Promise<void> {
  const { kit } = context;
  switch (name) {
    case "rpc":
      await chainCall("probing the RPC", () => kit.chain.getBlockNumber({ cacheTime: 0 }));
      return;
    case "ipfs":
      return kit.ipfs.probe();
    case "sidecar":
    case "model:groq":
    case "model:gemini":
    case "model:openai":
      return examineBackends(context);
    default:
      return;
  }
}

export function jobNeeds({ skipOutputKeyStorage, executor }: Kit["settings"]): JobNeeds {
  return { storesKey: !skipOutputKeyStorage, usesSidecar: executor === "sidecar" };
}

function breakersOf({ store }: NodeContext): Breakers {
  return store.get("breakers") ?? {};
}

function update(context: NodeContext, name: Dependency, next: Breaker): void {
  const breakers = breakersOf(context);
  const before = breakers[name];
  if (before === next) return;
  context.store.set("breakers", { ...breakers, [name]: next });
  const was = before?.state ?? "closed";
  if (was === next.state) return;
  const { code = null, message = null, hint = null } = next.lastError ?? {};
  if (next.state === "open") tell(context, "error", "dependency.down", { name, code, reason: message, hint });
  else if (next.state === "half-open") tell(context, "info", "dependency.answers", { name });
  else tell(context, "info", "dependency.up", { name });
}
