/**
 * Forgets the Node object's finished transactions, a bounded number a call. A purpose stands for one transaction only as
 * long as its row is there, so a row stays while anybody could ask for its purpose again: while its job is in the index
 * (an offer of a job that the index knows is not taken twice), while it may be mined, and for some days in any case.
 */

const DAY_MS = 86_400_000;
/** An operator may repeat a command days later; the heartbeat that was due then has long been replaced by another. */
const KEEP_AT_LEAST_DAYS = 7;

/**
 * @param days how far the history goes back; fewer than seven count as seven
 * @param limit how many of the oldest rows one call looks at
 * @returns how many were forgotten
 */
export function forgetTransactions(sql: SqlStorage, nowMs: number, days: number, limit: number): number {
  return sql
    .exec(
      `DELETE FROM transactions WHERE seq IN (SELECT seq FROM (SELECT * FROM transactions ORDER BY seq LIMIT ?) AS oldest
       WHERE updated_at < ? AND state NOT IN ('queued', 'signed')
       AND (job_id IS NULL OR NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.job_id = oldest.job_id)))
     RETURNING seq`,
      limit,
      nowMs - Math.max(days, KEEP_AT_LEAST_DAYS) * DAY_MS,
    )
    .toArray().length;
}
