/** Finds the name that a mistyped one was most likely meant to be. */

/** More than this many slips and a suggestion would only mislead. */
const MAX_SLIPS = 4;

/** The known name with the fewest slips (insert, delete, replace; case does not count), or null when none is near. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const typed = name.toUpperCase();
  let nearest: string | null = null;
  let fewest = Math.min(MAX_SLIPS, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - typed.length) >= fewest) continue;
    const slips = distance(typed, candidate);
    if (slips < fewest) {
      fewest = slips;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Levenshtein's distance, one row at a time. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replace = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replace, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}
