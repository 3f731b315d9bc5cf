/**
 * One durable transaction of one account, the parts without state. The caller prepares, saves the signed bytes and
 * their hash, and only then broadcasts; after a crash it asks for the receipt and broadcasts the same bytes again.
 * Invariant: nothing here signs twice or picks a nonce by itself, so no call can become two transactions.
 */
import { type Address, formatEther, type Hex, keccak256, type TransactionReceipt } from "viem";
import { NodeError } from "../errors.ts";
import type { Signer } from "../signer.ts";
import type { Call } from "./calls.ts";
import { chainCall, detailsOf, revertReason, toChainError } from "./errors.ts";
import { type Fees, priceOf, readMarket, tooDear } from "./fees.ts";
import { implausible, isWithin } from "./plausible.ts";
import type { ChainClient } from "./rpc.ts";

export interface PrepareOptions {
  client: ChainClient;
  signer: Pick<Signer, "address" | "signTransaction">;
  call: Call;
  nonce: number;
  /** The most wei per gas that may be offered; a dearer transaction is refused. */
  maxFeePerGasWei?: bigint;
  /** What the transaction that this one replaces at its nonce offers: this one offers an eighth more. */
  above?: Fees;
  /** Gas already estimated, room included. */
  gas?: bigint;
}

export interface PreparedTransaction extends Fees {
  /** The signed bytes, to be saved before they are broadcast. */
  raw: Hex;
  hash: Hex;
  nonce: number;
  /** The most that fees can come to, wei. */
  maxFeeWei: bigint;
}

/**
 * `sent`: taken now. `known`: taken before, mined or not. `nonce-used`: the nonce is spent, by these very bytes or by
 * another transaction; the receipt tells. `underpriced`: not taken, the base fee is above the fee offered, or another
 * transaction with this nonce waits. `nonce-gap`: not taken, the account's earlier nonces are not spent yet.
 */
export type BroadcastOutcome = "sent" | "known" | "nonce-used" | "underpriced" | "nonce-gap";

export type ReceiptState =
  | { state: "pending" }
  | { state: "success"; blockNumber: bigint; gasUsed: bigint; feeWei: bigint }
  | { state: "reverted"; blockNumber: bigint; gasUsed: bigint; feeWei: bigint; reason: string };

/** Room for what changes between estimate and inclusion: on Arbitrum the share of the layer below, in percent. */
const GAS_PERCENT = 125n;
/** What every transaction costs at least. */
const GAS_MIN = 21_000n;
/** Far beyond what any transaction needs: an RPC node that says more errs, and signed bytes of that kind never go out. */
const GAS_MAX = 100_000_000n;
const UINT64_MAX = 2n ** 64n - 1n;

/** The account's next nonce: counting what waits in the pool, or, as `latest`, only what is in blocks. */
export function nextNonce(
  client: ChainClient,
  address: Address,
  blockTag: "pending" | "latest" = "pending",
): Promise<number> {
  const doing = "reading the nonce";
  return chainCall(doing, async () => {
    const nonce = await client.getTransactionCount({ address, blockTag });
    if (!Number.isSafeInteger(nonce) || nonce < 0) throw implausible(doing);
    return nonce;
  });
}

/** Does nothing at its nonce: the account sends itself no ether and no data. */
export function noOp(address: Address, purpose: string): Call {
  return { purpose, to: address, data: "0x", value: 0n };
}

/**
 * Estimates, prices (EIP-1559) and signs. Throws NodeError: `transaction-reverted` when the call would fail now,
 * `gas-price` (later) above the cap, `insufficient-funds`, `rpc-unavailable`. Nothing is sent.
 */
export async function prepare(options: PrepareOptions): Promise<PreparedTransaction> {
  const { client, signer, call, nonce } = options;
  const { to, data, value = 0n } = call;
  const doing = `preparing ${call.purpose}`;
  const [gas, fees, balance] = await Promise.all([
    options.gas ?? estimatedGas(options, doing),
    pricedFees(options, doing),
    chainCall(doing, () => client.getBalance({ address: signer.address })),
  ]);
  const maxFeeWei = gas * fees.maxFeePerGas;
  if (balance < maxFeeWei + value) throw tooPoor(doing, balance, maxFeeWei + value);
  const chainId = client.chain.id;
  const raw = await signer.signTransaction({ type: "eip1559", chainId, nonce, to, data, value, gas, ...fees });
  return { raw, hash: keccak256(raw), nonce, maxFeeWei, ...fees };
}

async function estimatedGas({ client, signer, call }: PrepareOptions, doing: string): Promise<bigint> {
  const { to, data, value = 0n } = call;
  const estimate = await chainCall(doing, () =>
    client.estimateGas({ account: signer.address, to, data, value, prepare: false }),
  );
  if (!isWithin(estimate, GAS_MIN, GAS_MAX)) throw implausible(doing);
  return (estimate * GAS_PERCENT) / 100n;
}

async function pricedFees({ client, maxFeePerGasWei, above }: PrepareOptions, doing: string): Promise<Fees> {
  const market = await readMarket(client, doing);
  const price = priceOf(market, maxFeePerGasWei, above);
  if (price.ok) return price.value;
  throw tooDear(doing, price.refusal, market, maxFeePerGasWei ?? 0n);
}

function tooPoor(doing: string, balance: bigint, needed: bigint): NodeError {
  const message = `${doing}: it may cost ${formatEther(needed)} ETH, and the account has ${formatEther(balance)} ETH`;
  return new NodeError("insufficient-funds", message, {
    retry: "later",
    hint: "Send ETH of this chain to the node's address.",
  });
}

/**
 * Sends saved bytes, as often as one likes: the same bytes can only ever be one transaction. Throws NodeError
 * `insufficient-funds` or `transaction-refused` (not taken), `rpc-unavailable` (it may have been taken).
 */
export async function broadcast(client: ChainClient, raw: Hex): Promise<BroadcastOutcome> {
  try {
    await client.request({ method: "eth_sendRawTransaction", params: [raw] });
    return "sent";
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome) return outcome;
    const chainError = toChainError(error, "sending a transaction");
    if (chainError.code !== "rpc-unavailable" || !detailsOf(error).some((text) => NODE_REJECTIONS.test(text)))
      throw chainError;
    throw new NodeError("transaction-refused", "sending a transaction: the RPC node rejected it", {
      retry: "never",
      hint: "The transaction itself is at fault; prepare it anew.",
    });
  }
}

/** The outcome that an RPC node's refusal to take a transaction stands for; undefined for any other error. */
export function outcomeOf(error: unknown): BroadcastOutcome | undefined {
  const details = detailsOf(error).join(" ");
  return REFUSALS.find(([pattern]) => pattern.test(details))?.[1];
}

/** What became of a transaction. `pending` covers one that the RPC node has never seen. Throws NodeError. */
export async function receiptOf(client: ChainClient, hash: Hex): Promise<ReceiptState> {
  const receipt = await chainCall("reading a receipt", async () => {
    try {
      return await client.getTransactionReceipt({ hash });
    } catch (error) {
      if (error instanceof Error && error.name === "TransactionReceiptNotFoundError") return null;
      throw error;
    }
  });
  if (receipt === null) return { state: "pending" };
  const { blockNumber, gasUsed, effectiveGasPrice, status } = receipt;
  // A receipt that says neither is none: a job must not end for it.
  if (receipt.transactionHash !== hash || (status !== "success" && status !== "reverted")) {
    throw implausible("reading a receipt");
  }
  // viem gives null for what a receipt lacks, whatever the types say.
  if (![blockNumber, gasUsed, effectiveGasPrice].every((amount) => isWithin(amount, 0n, UINT64_MAX))) {
    throw implausible("reading a receipt");
  }
  const mined = { blockNumber, gasUsed, feeWei: gasUsed * effectiveGasPrice };
  if (status === "success") return { state: "success", ...mined };
  return { state: "reverted", ...mined, reason: await replayReason(client, receipt) };
}

// How geth, Nitro, Nethermind, Erigon and anvil put it.
const REFUSALS: readonly (readonly [RegExp, BroadcastOutcome])[] = [
  [/already known|known transaction|already imported|already exists|already in/, "known"],
  [/nonce too low|nonce.{0,20}too low|old nonce|nonce has already been used/, "nonce-used"],
  [/nonce too high|nonce.{0,20}too high/, "nonce-gap"],
  [/underpriced|max fee per gas less than|fee cap less than|feecap.{0,20}less|below current base fee/, "underpriced"],
];
const NODE_REJECTIONS = /intrinsic gas|exceeds block gas limit|invalid chain|invalid sender|tip.{0,30}higher|oversized/;

/** Runs a reverted transaction again on the state before its block. Best effort: the state may differ or be pruned. */
async function replayReason(client: ChainClient, receipt: TransactionReceipt): Promise<string> {
  try {
    const { from, to, input, value, gas } = await client.getTransaction({ hash: receipt.transactionHash });
    if (to === null) return "unknown";
    const blockNumber = receipt.blockNumber - 1n;
    await client.call({ account: from, to, data: input, value, gas, blockNumber, batch: false });
    return receipt.gasUsed >= gas ? "out of gas" : "unknown";
  } catch (error) {
    return revertReason(error) ?? "unknown";
  }
}
