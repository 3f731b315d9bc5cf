/** Amounts of BLIND (18 decimals) as people write them, read strictly and written exactly. */
import { formatEther, parseEther } from "viem";
import { ok, type Result, refuse } from "../result.ts";

/** A hundred times all BLIND that could ever matter; more is a slip of the hand. */
const DIGITS_MAX = 12;
const AMOUNT = new RegExp(`^(0|[1-9]\\d{0,${DIGITS_MAX - 1}})(\\.\\d{1,18})?$`);

/** The amount in its smallest unit, from `1000` or `1000.5`: no sign, no exponent, no separators, not 0. */
export function readBlind(text: string): Result<bigint, string> {
  if (!AMOUNT.test(text)) return refuse("must be an amount of BLIND like 1000 or 1000.5, with at most 18 decimals");
  const amount = parseEther(text);
  return amount === 0n ? refuse("must be more than 0") : ok(amount);
}

export function formatBlind(amount: bigint): string {
  return `${formatEther(amount)} BLIND`;
}
