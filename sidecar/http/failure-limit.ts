/**
 * Counts the requests that failed to show who they are, by the key that they name. Beyond the limit they are answered
 * without being looked at further and without a line in the log. Invariant: a request whose signature fits is never
 * refused for the failures of others, or a stranger who knows a key's name could shut the Worker out.
 */

export interface FailureLimit {
  /** Counts a failure; true when it was one too many. */
  exceeds(keyId: string, nowMs: number): boolean;
}

/** A minute's worth of tries of a Worker with a wrong setting, all nodes together. */
const LIMIT = 60;
const WINDOW_MS = 60_000;

/** @param keyIds that are known; what names another key counts together */
export function createFailureLimit(keyIds: readonly string[], limit = LIMIT): FailureLimit {
  let window = 0;
  let counts = new Map<string, number>();
  return {
    exceeds(keyId, nowMs) {
      const current = Math.floor(nowMs / WINDOW_MS);
      if (current !== window) {
        window = current;
        counts = new Map();
      }
      const counted = keyIds.includes(keyId) ? keyId : "";
      const count = (counts.get(counted) ?? 0) + 1;
      counts.set(counted, count);
      return count > limit;
    },
  };
}
