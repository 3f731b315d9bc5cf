/** A stretch of time in words, its two largest units: `3 days 4 hours`, `59 minutes`, `1 second`. */
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** @param seconds whole, at least 0 */
export function inWords(seconds: number): string {
  const first = UNITS.findIndex(([, length]) => seconds >= length);
  if (first < 0) return "0 seconds";
  let rest = seconds;
  const parts = UNITS.slice(first, first + 2).map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return count === 0 ? "" : `${count} ${unit}${count === 1 ? "" : "s"}`;
  });
  return parts.filter((part) => part !== "").join(" ");
}
