/** Times, amounts and links in the words that every command uses. Unknown is said as such, never as 0. */
const EXPLORER = "https://sepolia.arbiscan.io";
const ARBITRUM_SEPOLIA = 421_614;

/** A span in the two largest units that matter: `3 d 4 h`, `2 min 5 s`, `0 s`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** `12 s ago`; `never` for null. */
export function ago(atMs: number | null, nowMs: number = Date.now()): string {
  return atMs === null ? "never" : `${duration(nowMs - atMs)} ago`;
}

/** UTC to the second, as logs have it. */
export function moment(atMs: number | null | undefined): string {
  return atMs === null || atMs === undefined ? "–" : new Date(atMs).toISOString().replace("T", " ").slice(0, 19);
}

/** BLIND, of 10^-18, with as many decimals as there are, thousands parted: `1,000.5`. */
export function blind(units: bigint): string {
  return amount(units, 6);
}

export function eth(wei: bigint): string {
  return amount(wei, 6);
}

/** Rounded down, so that nothing shows as more than there is. */
function amount(units: bigint, decimals: number): string {
  const negative = units < 0n;
  const absolute = negative ? -units : units;
  const whole = (absolute / 10n ** 18n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = (absolute % 10n ** 18n).toString().padStart(18, "0").slice(0, decimals).replace(/0+$/, "");
  return `${negative ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** `0x1234…abcd`. */
export function short(hex: string): string {
  return hex.length <= 14 ? hex : `${hex.slice(0, 6)}…${hex.slice(-4)}`;
}

/** Where a transaction or an account can be looked at; null on chains without a public explorer. */
export function explorerLink(chainId: number, kind: "tx" | "address", value: string): string | null {
  return chainId === ARBITRUM_SEPOLIA ? `${EXPLORER}/${kind}/${value}` : null;
}
