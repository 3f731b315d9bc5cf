/**
 * What keeps this node from claiming: the operator's word, the slash guard, a second copy, and what the node sees of
 * its services. Holds and their rules are core/node/holds.ts; this file keeps them with the node, tells the operator
 * when one begins or ends, and never lets one stop a job that is claimed.
 */
import { blockedBy, type Dependency, needsOf } from "../../../core/node/breakers.ts";
import {
  acceptFailures,
  countJob,
  type FailureCount,
  failuresInARow,
  mustPause,
  NO_FAILURES,
  oneAtATime,
  type Standing,
} from "../../../core/node/failures.ts";
import { conditionsOf, type Hold, type HoldView, hold, STANDING, type StandingHold } from "../../../core/node/holds.ts";
import { newWatch } from "../../../core/node/second-copy.ts";
import { type NodeContext, tell } from "./context.ts";
import { jobNeeds } from "./dependencies.ts";
import type { NodeStore } from "./store.ts";

/** Gas of a storeKey transaction, with room: 294,000 measured on the devnet's contracts. */
const STORE_KEY_GAS = 450_000n;
/** The fee may double before a transaction is sent. */
const FEE_FACTOR = 2n;

export function holdsOf(context: NodeContext): Hold[] {
  return [...standingHolds(context.store), ...conditionsOf(viewOf(context)), ...serviceHolds(context)];
}

export function putHold(context: NodeContext, code: StandingHold, reason: string): void {
  const { store, kit } = context;
  const holds = store.get("holds") ?? {};
  if (holds[code] !== undefined) return;
  store.set("holds", { ...holds, [code]: { reason, atMs: kit.clock.now() } });
  announceHolds(context);
}

/** The operator's resume: ends every standing hold and accepts the failures so far. */
export function endHolds(context: NodeContext): void {
  const { store, live, kit, icl } = context;
  store.clear("holds");
  store.clear("draining");
  const count = failureCount(store);
  store.set("failures", acceptFailures(count, inARow(store)));
  live.watch = newWatch(Math.floor((kit.clock.now() + icl.clockCorrectionMs()) / 1000));
  announceHolds(context);
}

/** Tells the operator, once each, which holds began and which ended since the last time. */
export function announceHolds(context: NodeContext): void {
  const { live } = context;
  const now = new Map(holdsOf(context).map((one) => [one.code, one]));
  for (const { code, reason, blocks, ends, hint } of now.values()) {
    if (live.announced.has(code)) continue;
    live.announced.add(code);
    const level = code === "operator" || code === "drained" || code === "copy-check" ? "info" : "error";
    tell(context, level, "node.held", { code, reason, blocks, ends, hint });
  }
  for (const code of live.announced) {
    if (now.has(code)) continue;
    live.announced.delete(code);
    tell(context, "info", "node.released", { code });
  }
}

/** Counts a job's end. The caller makes sure that each end is counted once. */
export function countEnd(context: NodeContext, job: { jobId: string; code: string }, standing: Standing): void {
  const { store, kit, schedule } = context;
  const before = failureCount(store);
  const nowMs = kit.clock.now();
  const count = countJob(before, standing, job, nowMs);
  if (standing === "success" && before.inARow === 0 && inARow(store) === 0) return;
  if (count === before) return;
  store.set("failures", count);
  // The chain keeps a count of its own, and it is the one that slashes.
  schedule.hasten("chain", nowMs, 5_000);
  if (standing === "failure") pauseOnFailures(context);
}

/** Stops claiming at the second failure in a row, by whichever count is higher. */
export function pauseOnFailures(context: NodeContext): void {
  const failures = inARow(context.store);
  if (!mustPause(failureCount(context.store), failures)) return;
  putHold(context, "failures", `${failures} claimed jobs in a row failed; a third costs the whole stake`);
}

export function failureCount(store: NodeStore): FailureCount {
  return store.get("failures") ?? NO_FAILURES;
}

/** Failures in a row by the count that decides. */
export function inARow(store: NodeStore): number {
  const chain = store.get("chain");
  const stake = chain?.stake ?? null;
  return failuresInARow(
    failureCount(store),
    chain === null || stake === null ? null : { consecutiveFailures: stake.consecutiveFailures, atMs: chain.atMs },
  );
}

export function onProbation(store: NodeStore): boolean {
  return oneAtATime(inARow(store));
}

/** The service that keeps a job of this role and model from being claimed, or null. */
export function brokenDependency(
  context: NodeContext,
  role: "leader" | "verifier",
  modelId: string,
): Dependency | null {
  const { store, kit, jobs } = context;
  const breakers = store.get("breakers");
  if (breakers === null) return null;
  const needs = jobNeeds(kit.settings);
  const held = jobs.open();
  const busy = (name: Dependency) => held.some((job) => needsOf(job.role, job.modelId, needs).includes(name));
  return blockedBy(breakers, needsOf(role, modelId, needs), busy);
}

function standingHolds(store: NodeStore): Hold[] {
  const stored = store.get("holds") ?? {};
  return STANDING.flatMap((code) => {
    const one = stored[code];
    return one === undefined ? [] : [hold(code, one.reason, one.atMs)];
  });
}

/** Services that are open; a half-open one lets a single job through. */
function serviceHolds({ store, live }: NodeContext): Hold[] {
  const broken = Object.entries(store.get("breakers") ?? {}).filter(
    ([name, { state }]) => state === "open" && name !== "icl",
  );
  const services = broken.map(([name, { lastError, sinceMs }]): Hold => {
    const reason = `${name}: ${lastError?.message ?? "failed three times in a row"}`;
    if (name.startsWith("model:")) return hold("backend", reason, sinceMs);
    const blocks = name === "pin" || name === "rpc" ? "leader" : "everything";
    return { ...hold("service", reason, sinceMs), blocks };
  });
  const refused = [...live.refusedKeys].map((name) => hold("backend", `${name} refuses its API key`));
  return [...services, ...refused];
}

function viewOf(context: NodeContext): HoldView {
  const { store, live, kit, icl, transactions } = context;
  const certificate = store.get("certificate");
  return {
    nowMs: kit.clock.now(),
    certificateExpiresMs: certificate === null ? null : certificate.expirySec * 1000 - icl.clockCorrectionMs(),
    heartbeatSinceMs: Math.max(live.lastHeartbeatOkMs ?? 0, live.startedAtMs),
    gas: gasOf(context),
    waitingSinceMs: transactions.waitingSinceMs(),
    copyCheckSinceMs: live.copyCheck?.sinceMs ?? null,
  };
}

/** What the jobs it leads now and one more may cost. Null while the balance is not known, or nothing is sent. */
function gasOf({ store, kit, jobs }: NodeContext): HoldView["gas"] {
  const chain = store.get("chain");
  if (chain === null || kit.settings.skipOutputKeyStorage) return null;
  const leading = BigInt(jobs.open().filter(({ role }) => role === "leader").length);
  const price = BigInt(chain.gasPriceWei ?? "0") * FEE_FACTOR;
  const neededWei = (leading + 1n) * STORE_KEY_GAS * price;
  return { neededWei: neededWei === 0n ? 1n : neededWei, balanceWei: BigInt(chain.ethWei) };
}
