/**
 * One account's transactions on the devnet's chain, one after another, each mined before the next is signed. Whoever
 * shares an account must share this object, or nonces collide.
 */
import type { Hex } from "viem";
import type { Call } from "../core/chain/calls.ts";
import type { ChainClient } from "../core/chain/rpc.ts";
import type { Signer } from "../core/signer.ts";
import { sendCall } from "./chain/send.ts";

export interface Transactions {
  /** Sends when its turn comes and gives the hash once it is mined. Throws as `sendCall` does. */
  send(call: Call): Promise<Hex>;
}

export function createTransactions(client: ChainClient, signer: Signer): Transactions {
  let last: Promise<unknown> = Promise.resolve();
  return {
    send(call) {
      const sent = last.then(() => sendCall(client, signer, call));
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}
