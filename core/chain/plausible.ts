/** Whether an RPC node's answer can be true at all: nothing is signed on the strength of one that cannot. */
import { NodeError } from "../errors.ts";

/** viem gives null for what an answer lacks, whatever its types say. */
export function isWithin(amount: bigint, least: bigint, most: bigint): boolean {
  return typeof amount === "bigint" && amount >= least && amount <= most;
}

/** An answer that no chain gives: another RPC node, or this one later, may do better. */
export function implausible(doing: string): NodeError {
  return new NodeError("rpc-unavailable", `${doing}: the RPC's answer is implausible`, {
    retry: "later",
    hint: "Check BLF_RPC_URL: that it leads to an RPC node of the chain.",
  });
}
