/**
 * Who agreed with whom (protocol §1). Counts commitment hashes equal to the leader's and nothing else: a verdict is only
 * recorded. Verifiers that agree among themselves against the leader accept nothing, because the answer that the user
 * would get is the leader's.
 */

/** What consensus needs to know of a member; the leader comes first. */
export interface Vote {
  /** The member's commitment, null while it has none. */
  hash: string | null;
  /** Nothing can come from it any more: its claim ran out. */
  failed: boolean;
}

export type Outcome = "accepted" | "rejected" | "timedout";

/** How many of `n` nodes must have the same hash: ⌊(2n+2)/3⌋. */
export function requiredMatches(n: number): number {
  return Math.floor((2 * n + 2) / 3);
}

/** Members, the leader included, whose hash is the leader's. */
export function equalHashes(votes: readonly Vote[]): number {
  const leader = votes[0]?.hash ?? null;
  return leader === null ? 0 : votes.filter(({ hash }) => hash === leader).length;
}

/**
 * The outcome as soon as nothing can change it any more, else null. Without a leader there is nothing to accept or
 * reject: that job timed out.
 */
export function decide(votes: readonly Vote[]): Outcome | null {
  const leader = votes[0];
  if (leader === undefined || (leader.failed && leader.hash === null)) return "timedout";
  if (leader.hash === null) return null;
  const needed = requiredMatches(votes.length);
  const equal = equalHashes(votes);
  if (equal >= needed) return "accepted";
  const open = votes.filter(({ hash, failed }) => hash === null && !failed).length;
  return equal + open < needed ? "rejected" : null;
}
