/**
 * What a transaction offers for its gas (EIP-1559): room for the base fee to double, never more than the operator's cap,
 * and for a replacement at least an eighth more than what it replaces. Offers nothing where the market is above the cap.
 */
import { formatGwei, type Hex, parseTransaction } from "viem";
import { NodeError } from "../errors.ts";
import { ok, type Result, refuse } from "../result.ts";
import { chainCall } from "./errors.ts";
import { implausible, isWithin } from "./plausible.ts";
import type { ChainClient } from "./rpc.ts";

/** Wei per gas. */
export interface FeeMarket {
  baseFee: bigint;
  tip: bigint;
}

/** Wei per gas, as signed. */
export interface Fees {
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

/** `market`: inclusion costs more than the cap. `bump`: what is to be replaced offers nearly the cap already. */
export type FeeRefusal = "market" | "bump";

/** The base fee may double before the bytes are too cheap; the excess is never paid. */
const BASE_FEE_FACTOR = 2n;
/** A million gwei. */
const GAS_PRICE_MAX = 10n ** 15n;
const NO_CAP = 10n ** 18n;
/** An eighth more on both fields: nodes ask for a tenth (geth's `txpool.pricebump`), some for 12.5 %. */
const BUMP = { numerator: 9n, denominator: 8n };

/** What the next block asks for. Throws NodeError. */
export async function readMarket(client: ChainClient, doing: string): Promise<FeeMarket> {
  const [block, tip] = await chainCall(doing, () =>
    Promise.all([client.getBlock(), client.estimateMaxPriorityFeePerGas()]),
  );
  const baseFee = block.baseFeePerGas;
  if (baseFee === null || !isWithin(baseFee, 0n, GAS_PRICE_MAX)) throw implausible(doing);
  if (!isWithin(tip, 0n, GAS_PRICE_MAX)) throw implausible(doing);
  return { baseFee, tip };
}

/**
 * @param capWei the most wei per gas; undefined for none
 * @param above the fees of the transaction that this one replaces at its nonce
 */
export function priceOf(market: FeeMarket, capWei: bigint | undefined, above?: Fees): Result<Fees, FeeRefusal> {
  const cap = capWei ?? NO_CAP;
  if (market.baseFee + market.tip > cap) return refuse("market");
  const tip = above === undefined ? market.tip : max(market.tip, bumped(above.maxPriorityFeePerGas));
  const least = max(market.baseFee + tip, above === undefined ? 0n : bumped(above.maxFeePerGas));
  if (least > cap) return refuse("bump");
  const wanted = market.baseFee * BASE_FEE_FACTOR + tip;
  return ok({ maxFeePerGas: max(least, wanted < cap ? wanted : cap), maxPriorityFeePerGas: tip });
}

/** The cap for a call that may have to be cancelled: the no-op that does it must fit under the cap itself. */
export function callCap(capWei: bigint): bigint {
  return (capWei * BUMP.denominator) / BUMP.numerator;
}

/** What signed bytes offer. */
export function feesOf(raw: Hex): Fees & { gas: bigint } {
  const { maxFeePerGas = 0n, maxPriorityFeePerGas = 0n, gas = 0n } = parseTransaction(raw);
  return { maxFeePerGas, maxPriorityFeePerGas, gas };
}

/** NodeError `gas-price` (later): nothing is sent at such a price. */
export function tooDear(doing: string, refusal: FeeRefusal, market: FeeMarket, capWei: bigint): NodeError {
  const now = `${formatGwei(market.baseFee + market.tip)} gwei`;
  const why =
    refusal === "market"
      ? `gas costs ${now}, more than the ${formatGwei(capWei)} gwei that it may`
      : `what is to be replaced offers nearly as much as may be offered (${formatGwei(capWei)} gwei; gas costs ${now})`;
  return new NodeError("gas-price", `${doing}: ${why}`, {
    retry: "later",
    hint: "Nothing to do if this is a spike: it is tried again. Otherwise raise BLF_MAX_FEE_GWEI.",
  });
}

function bumped(fee: bigint): bigint {
  return (fee * BUMP.numerator + BUMP.denominator - 1n) / BUMP.denominator;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
