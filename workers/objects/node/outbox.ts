/**
 * The history outbox: entries wait here until D1 has them. Entries of one key replace each other (a transaction's
 * state, an hour's beats), events queue up. Bounded: when D1 is away for very long the oldest events go first, because
 * history is for people and the node's work must not drown in it.
 */
import { type HistoryEntry, writeEntries } from "../../adapters/history.ts";

/** About a day of a busy node's events; 2,000 rows of under 1 KiB. */
const KEEP_AT_MOST = 2_000;
/** D1 allows 50 queries an invocation on the free plan; an entry needs at most two. */
const BATCH = 20;

export class Outbox {
  readonly #sql: SqlStorage;
  #pending: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, json TEXT NOT NULL)",
    );
    this.#pending = this.#first(1).length > 0;
  }

  put(key: string, entry: HistoryEntry): void {
    this.#sql.exec("DELETE FROM outbox WHERE key = ?", key);
    this.#sql.exec("INSERT INTO outbox (key, json) VALUES (?, ?)", key, JSON.stringify(entry));
    this.#sql.exec("DELETE FROM outbox WHERE seq <= (SELECT MAX(seq) FROM outbox) - ?", KEEP_AT_MOST);
    this.#pending = true;
  }

  /** Writes what is waiting, oldest first. Throws when D1 does; what was not written stays. */
  async flush(db: D1Database): Promise<void> {
    while (this.#pending) {
      const rows = this.#first(BATCH);
      if (rows.length === 0) {
        this.#pending = false;
        return;
      }
      await writeEntries(
        db,
        rows.map((row) => JSON.parse(row.json) as HistoryEntry),
      );
      const last = rows.at(-1)?.seq ?? 0;
      // A row replaced meanwhile has a higher seq and stays.
      this.#sql.exec("DELETE FROM outbox WHERE seq <= ?", last);
    }
  }

  #first(count: number): { seq: number; json: string }[] {
    return this.#sql
      .exec<{ seq: number; json: string }>("SELECT seq, json FROM outbox ORDER BY seq LIMIT ?", count)
      .toArray();
  }
}
