/**
 * Deletes history that is older than the settings keep, a bounded number of rows a call. Each table is looked at from
 * its oldest rows on, as many as may still be deleted, so that a call reads little however large the history is. It
 * never deletes a job that is not finished, an event of one, or a transaction that may still be mined.
 */
import { withSchema } from "./history.ts";

const DAY_MS = 86_400_000;

/**
 * Each table's rows that may go, `?1` being the oldest moment to keep. The large tables come last: they get what the
 * small ones leave of the batch.
 */
const TABLES: readonly { name: string; old: string }[] = [
  { name: "certificates", old: "expires_at < ?1" },
  { name: "beats", old: "last_at < ?1" },
  { name: "earnings", old: "seen_at < ?1" },
  { name: "transactions", old: "updated_at < ?1 AND state NOT IN ('queued', 'signed')" },
  { name: "assignments", old: "updated_at < ?1 AND state IN ('settled', 'failed')" },
  {
    name: "events",
    old: `at < ?1 AND NOT EXISTS (SELECT 1 FROM assignments WHERE assignments.node = oldest.node
      AND assignments.job_id = oldest.job_id AND assignments.state NOT IN ('settled', 'failed'))`,
  },
];

/**
 * @param days how far the history goes back
 * @param batch how many rows one call deletes at most, over all tables
 * @returns how many it deleted
 */
export function pruneHistory(db: D1Database, nowMs: number, days: number, batch: number): Promise<number> {
  return withSchema(db, async () => {
    let deleted = 0;
    for (const { name, old } of TABLES) {
      if (deleted >= batch) break;
      // Rows are numbered as they come in: the first are the oldest, but for what an outbox held back.
      const { meta } = await db
        .prepare(
          `DELETE FROM ${name} WHERE rowid IN (SELECT number FROM
            (SELECT rowid AS number, * FROM ${name} ORDER BY rowid LIMIT ?2) AS oldest WHERE ${old})`,
        )
        .bind(nowMs - days * DAY_MS, batch - deleted)
        .run();
      deleted += meta.changes;
    }
    return deleted;
  });
}
