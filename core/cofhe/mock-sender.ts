/**
 * Sends the transaction that a mock encryption needs (protocol §8, chain 31337 only): the plaintext goes on chain,
 * which is what a mock does. Many processes share one sending account, and even where the chain itself gives out the
 * nonces two senders may be given the same one, so a collision is tried again.
 */
import { type Address, encodeFunctionData, type Hex } from "viem";
import { chainCall, toChainError } from "../chain/errors.ts";
import type { ChainClient } from "../chain/rpc.ts";
import { type BroadcastOutcome, broadcast, nextNonce, outcomeOf, prepare } from "../chain/transaction.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { Secret } from "../secret.ts";
import { localSigner } from "../signer.ts";
import { type ContractWrite, MOCK_PROOF_KEY } from "./sdk.ts";

/** Of those who collide one gets through each time, so this many senders at once all do. */
const ATTEMPTS = 24;
const RETRY_MS = 30;
const RETRY_MAX_MS = 200;

/** A function that sends the write and returns once the chain has taken it. Throws NodeError. */
export function createMockSender(client: ChainClient, clock: Clock): (write: ContractWrite) => Promise<void> {
  let unlocked: Address | null | undefined;
  return async (write) => {
    const to = write.address;
    const data = encodeFunctionData(write);
    if (unlocked === undefined) {
      unlocked = await chainCall("listing the devnet's accounts", () => lastUnlockedAccount(client));
    }
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const outcome = unlocked ? await sendUnlocked(client, unlocked, to, data) : await sendSigned(client, to, data);
      if (outcome === "sent" || outcome === "known") return;
      await clock.sleep(Math.min(RETRY_MS * attempt, RETRY_MAX_MS));
    }
    throw new NodeError("cofhe-unavailable", "the devnet's mock verifier account is too busy", {
      retry: "later",
      hint: "Try again, or run fewer nodes on this devnet.",
    });
  };
}

/** The last one: the first ones are people's on every development chain. */
async function lastUnlockedAccount(client: ChainClient): Promise<Address | null> {
  const accounts = await client.request<{ Parameters?: undefined; ReturnType: Address[] }>({ method: "eth_accounts" });
  return accounts.at(-1) ?? null;
}

async function sendUnlocked(client: ChainClient, from: Address, to: Address, data: Hex): Promise<BroadcastOutcome> {
  try {
    await client.request<{ Parameters: object[]; ReturnType: Hex }>({
      method: "eth_sendTransaction",
      params: [{ from, to, data }],
    });
    return "sent";
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome) return outcome;
    throw toChainError(error, "sending a mock encryption");
  }
}

/** With the key that the SDK carries for its mocks, known to everyone. */
async function sendSigned(client: ChainClient, to: Address, data: Hex): Promise<BroadcastOutcome> {
  const signer = localSigner(new Secret(MOCK_PROOF_KEY));
  const nonce = await nextNonce(client, signer.address);
  const { raw } = await prepare({ client, signer, call: { purpose: "a mock encryption", to, data }, nonce });
  return broadcast(client, raw);
}
