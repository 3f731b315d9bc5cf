/**
 * One call of one devnet account, sent and waited for. For the devnet's own parts, which keep nothing across a crash;
 * an account's calls must come one after the other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Hex } from "viem";
import type { Call } from "../../core/chain/calls.ts";
import type { ChainClient } from "../../core/chain/rpc.ts";
import { broadcast, nextNonce, prepare, receiptOf } from "../../core/chain/transaction.ts";
import type { Signer } from "../../core/signer.ts";

const RECEIPT_POLL_MS = 20;
const RECEIPT_WAIT_MS = 60_000;

/** The hash of the successful transaction. Throws NodeError when it cannot be sent, Error when it reverts. */
export async function sendCall(client: ChainClient, signer: Signer, call: Call): Promise<Hex> {
  const { raw, hash } = await prepare({ client, signer, call, nonce: await nextNonce(client, signer.address) });
  const outcome = await broadcast(client, raw);
  if (outcome !== "sent" && outcome !== "known") throw new Error(`${call.purpose} was not taken: ${outcome}`);
  for (let waitedMs = 0; waitedMs < RECEIPT_WAIT_MS; waitedMs += RECEIPT_POLL_MS) {
    const receipt = await receiptOf(client, hash);
    if (receipt.state === "success") return hash;
    if (receipt.state === "reverted") throw new Error(`${call.purpose} reverted: ${receipt.reason}`);
    await sleep(RECEIPT_POLL_MS);
  }
  throw new Error(`${call.purpose} was not mined within ${RECEIPT_WAIT_MS / 1000} s`);
}
