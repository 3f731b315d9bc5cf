/**
 * Who works on a job: a leader and verifiers among the live nodes that support its model. The order is by address and
 * moves on by one node with every preview, so that everyone leads in turn. Refuses a quorum that names a node twice, or
 * one that could not be selected now.
 */
import type { Address } from "viem";
import { ok, type Result } from "../../core/result.ts";
import { isLive, type NodeEntry } from "./nodes.ts";
import { type Refusal, refusal } from "./refusal.ts";

export interface QuorumWish {
  modelId: string;
  minTier: number;
  verifierCount: number;
}

export interface Quorum {
  leader: Address;
  verifiers: Address[];
  /** Everyone who could have been chosen, in this turn's order. */
  candidates: Address[];
}

/** The live nodes that a job with this wish may go to, by address. */
export function candidatesFor(
  nodes: Iterable<NodeEntry>,
  wish: Pick<QuorumWish, "modelId" | "minTier">,
  nowMs: number,
  livenessSec: number,
): Address[] {
  return [...nodes]
    .filter((entry) => isLive(entry, nowMs, livenessSec) && entry.tier >= wish.minTier)
    .filter(({ models }) => models.includes(wish.modelId))
    .map(({ address }) => address)
    .sort();
}

/** The quorum of turn `turn`. Refuses when there are too few candidates. */
export function selectQuorum(candidates: readonly Address[], wish: QuorumWish, turn: number): Result<Quorum, Refusal> {
  const needed = wish.verifierCount + 1;
  const first = candidates.length === 0 ? 0 : turn % candidates.length;
  const order = [...candidates.slice(first), ...candidates.slice(0, first)];
  const [leader, ...rest] = order;
  if (leader === undefined || order.length < needed) {
    return refusal("no-quorum", `${needed} live nodes with this model are needed, and there are ${order.length}`);
  }
  return ok({ leader, verifiers: rest.slice(0, wish.verifierCount), candidates: order });
}

/** Whether the members could have been selected: all different, all candidates, as many verifiers as wished. */
export function checkQuorum(
  members: readonly Address[],
  candidates: readonly Address[],
  wish: QuorumWish,
): Result<null, Refusal> {
  if (members.length !== wish.verifierCount + 1) {
    return refusal("malformed", "verifier_addresses must hold verifier_count addresses");
  }
  if (new Set(members).size !== members.length) return refusal("malformed", "the quorum names a node twice");
  if (!members.every((member) => candidates.includes(member))) {
    return refusal("conflict", "a member of the quorum is not live, lacks the tier, or does not support the model");
  }
  return ok(null);
}
