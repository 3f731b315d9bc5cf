/**
 * What comes next for a transaction whose bytes find no place in a block: the same call at the same nonce with raised
 * fees, a bounded number of times; then a no-op in its place, so that what follows can go on; and first of all a no-op at
 * any earlier nonce that was never spent. All share nonces, so that of one purpose only one can ever be mined.
 */
import { callCap, feesOf, priceOf, readMarket, tooDear } from "./fees.ts";
import type { ChainClient } from "./rpc.ts";
import type { GuardedSigner } from "./signing-policy.ts";
import { nextNonce, noOp, prepare } from "./transaction.ts";
import type { Attempt, AttemptKind, StoredTransaction } from "./transaction-store.ts";

/** Arbitrum puts a transaction into a block within a second: after this long without a receipt something is in the way. */
export const STUCK_MS = 40_000;
/** With raised fees. Four rounds of `STUCK_MS` leave time for a job's next step; then the call is given up. */
export const REPLACEMENTS_MAX = 4;

export interface ReplacementParts {
  client: ChainClient;
  signer: GuardedSigner;
  nowMs: number;
}

/**
 * Signed bytes to save and broadcast next; null where waiting is all there is to do. Throws NodeError `gas-price` where
 * nothing more may be offered under the cap, and what `prepare` throws.
 *
 * @param attempts all that were made for this transaction
 * @param refused whether an RPC node says that the latest bytes offer too little
 */
export async function nextAttempt(
  parts: ReplacementParts,
  row: StoredTransaction,
  attempts: readonly Attempt[],
  refused: boolean,
): Promise<Attempt | null> {
  const { client, signer, nowMs } = parts;
  const here = attempts.filter(({ kind, nonce }) => kind !== "filler" && nonce === row.nonce);
  const last = here.at(-1);
  if (last === undefined) return null;
  const stuck = nowMs - last.createdAtMs >= STUCK_MS;
  if (!stuck && !refused) return null;
  if (stuck) {
    const spent = await nextNonce(client, signer.address, "latest");
    if (spent < last.nonce) return filler(parts, row, attempts, spent);
  }
  const doing = `replacing ${row.purpose}`;
  const market = await readMarket(client, doing);
  const offered = feesOf(last.raw);
  // An RPC node also calls it too little where another transaction holds the nonce: that may yet pass.
  if (!stuck && market.baseFee <= offered.maxFeePerGas) return null;
  const cap = callCap(signer.policy.maxFeePerGasWei);
  const price = priceOf(market, cap, offered);
  if (!price.ok && price.refusal === "market") throw tooDear(doing, "market", market, cap);
  const calls = here.filter(({ kind }) => kind === "call").length;
  const goesOn = price.ok && calls === here.length && calls <= REPLACEMENTS_MAX;
  if (!goesOn && !stuck) return null;
  return signed(parts, row, { kind: goesOn ? "call" : "cancel", nonce: last.nonce, above: last });
}

/** A no-op at an earlier nonce, not before the one that may be there already has had its time. */
function filler(
  parts: ReplacementParts,
  row: StoredTransaction,
  attempts: readonly Attempt[],
  nonce: number,
): Promise<Attempt> | null {
  const before = attempts.filter((attempt) => attempt.kind === "filler" && attempt.nonce === nonce).at(-1);
  if (before !== undefined && parts.nowMs - before.createdAtMs < STUCK_MS) return null;
  return signed(parts, row, { kind: "filler", nonce, ...(before === undefined ? {} : { above: before }) });
}

async function signed(
  { client, signer, nowMs }: ReplacementParts,
  row: StoredTransaction,
  { kind, nonce, above }: { kind: AttemptKind; nonce: number; above?: Attempt },
): Promise<Attempt> {
  const { maxFeePerGasWei } = signer.policy;
  const former = above === undefined ? undefined : feesOf(above.raw);
  const { raw, hash } = await prepare({
    client,
    signer,
    nonce,
    call: kind === "call" ? row.call : noOp(signer.address, `a no-op in place of ${row.purpose}`),
    maxFeePerGasWei: kind === "call" ? callCap(maxFeePerGasWei) : maxFeePerGasWei,
    ...(former === undefined ? {} : { above: former }),
    // The call was estimated when it was first signed; a no-op in the place of a no-op likewise.
    ...(former === undefined || (kind === "cancel" && above?.kind === "call") ? {} : { gas: former.gas }),
  });
  return { kind, nonce, raw, hash, createdAtMs: nowMs };
}
