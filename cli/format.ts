/** Times, amounts and links in the words that every command uses. Unknown is said as such, never as 0. */
import { formatEther } from "viem";
import { ARBITRUM_SEPOLIA } from "../core/chain/addresses.ts";
import { inWords } from "../core/chain/duration.ts";

const EXPLORER = "https://sepolia.arbiscan.io";
/** Gas for a transaction shows in them. */
const ETH_DECIMALS = 6;

/** A span in words: `3 days 4 hours`; nothing is shorter than 0. */
export function duration(ms: number): string {
  return inWords(Math.max(0, Math.round(ms / 1000)));
}

/** `12 seconds ago`; `never` for null. */
export function ago(atMs: number | null, nowMs: number = Date.now()): string {
  return atMs === null ? "never" : `${duration(nowMs - atMs)} ago`;
}

/** UTC to the second, as logs have it. */
export function moment(atMs: number | null | undefined): string {
  return atMs === null || atMs === undefined ? "–" : new Date(atMs).toISOString().replace("T", " ").slice(0, 19);
}

/** `0.123456 ETH`, rounded down, so that nothing shows as more than there is. */
export function formatEth(wei: bigint): string {
  if (wei > 0n && wei < 10n ** BigInt(18 - ETH_DECIMALS)) return "less than 0.000001 ETH";
  const [whole, fraction = ""] = formatEther(wei).split(".");
  const shown = fraction.slice(0, ETH_DECIMALS).replace(/0+$/, "");
  return `${whole}${shown === "" ? "" : `.${shown}`} ETH`;
}

/** `0x1234…abcd`. */
export function short(hex: string): string {
  return hex.length <= 14 ? hex : `${hex.slice(0, 6)}…${hex.slice(-4)}`;
}

/** Where a transaction or an account can be looked at; null on chains without a public explorer. */
export function explorerLink(chainId: number, kind: "tx" | "address", value: string): string | null {
  return chainId === ARBITRUM_SEPOLIA ? `${EXPLORER}/${kind}/${value}` : null;
}
