/**
 * The commit guard: one commitment per (node, job), whatever the role, as validators guard against double signing.
 * Check and record happen in one transaction of one object, so nothing can come between. A second, different commitment
 * is refused for ever; the same one again is a harmless repeat. Entries are never deleted, and importing never loosens:
 * a job for which two commitments are known takes neither any more.
 */
import { GUARD_ENTRIES_MAX, type GuardCommitment } from "../../../core/node/guard-interchange.ts";
import { ok, type Result, refuse } from "../../../core/result.ts";

export interface GuardEntry {
  jobId: string;
  role: string;
  /** 64 lowercase hex digits. */
  commitment: string;
  outputCid: string;
}

/** What was recorded from `fromMs` on and before `toMs`. */
export interface GuardRange {
  fromMs: number;
  toMs: number;
}

export interface GuardImport {
  /** New here. */
  imported: number;
  /** The same was on record. */
  known: number;
  /** Jobs with another commitment on record too: nothing more is sent for them. */
  conflicts: string[];
}

type Row = { job_id: string; role: string; commitment: string; output_cid: string; at: number };

/** `rival_commitments` holds what contradicts a row of `commitments`, so that a dispute is exported with both its sides. */
const BOTH = `SELECT job_id, role, commitment, output_cid, at FROM commitments
  UNION ALL SELECT job_id, role, commitment, output_cid, at FROM rival_commitments`;

export class CommitGuardTable {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const columns = "role TEXT NOT NULL, commitment TEXT NOT NULL, output_cid TEXT NOT NULL, at INTEGER NOT NULL";
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS commitments (job_id TEXT PRIMARY KEY, ${columns})`);
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS rival_commitments (
      job_id TEXT NOT NULL, ${columns}, PRIMARY KEY (job_id, commitment))`);
  }

  record(entry: GuardEntry, nowMs: number): Result<null, string> {
    return this.#storage.transactionSync(() => {
      const [row, ...rivals] = this.#find(entry.jobId);
      // One deployment of this node may have sent the one and is asked for the other here: any answer could be the second.
      if (rivals.length > 0) return refuse("two commitments are on record for this job: nothing more is sent for it");
      if (row !== undefined) {
        if (row.commitment === entry.commitment) return ok(null);
        return refuse(`this node already committed to ${row.commitment} for this job`);
      }
      this.#insert("commitments", entry, nowMs);
      return ok(null);
    });
  }

  /** What is on record, oldest first; one more than a file holds means that there is more. */
  all({ fromMs, toMs }: GuardRange): GuardCommitment[] {
    return this.#storage.sql
      .exec<Row>(
        `SELECT * FROM (${BOTH}) WHERE at >= ? AND at < ? ORDER BY at, job_id, commitment LIMIT ?`,
        fromMs,
        toMs,
        GUARD_ENTRIES_MAX + 1,
      )
      .toArray()
      .map((row) => ({
        jobId: row.job_id,
        role: row.role === "leader" ? "leader" : "verifier",
        commitment: row.commitment,
        outputCid: row.output_cid,
        at: row.at,
      }));
  }

  /** Takes on what another deployment of this node recorded: all of it, or nothing where it throws. */
  merge(entries: readonly GuardCommitment[]): GuardImport {
    return this.#storage.transactionSync(() => {
      const result = { imported: 0, known: 0 };
      const conflicts = new Set<string>();
      for (const entry of entries) {
        const rows = this.#find(entry.jobId);
        const isKnown = rows.some(({ commitment }) => commitment === entry.commitment);
        if (rows.length === 0) {
          this.#insert("commitments", entry, entry.at);
          result.imported += 1;
        } else if (rows.length === 1 && isKnown) result.known += 1;
        else {
          if (!isKnown) this.#insert("rival_commitments", entry, entry.at);
          conflicts.add(entry.jobId);
        }
      }
      return { ...result, conflicts: [...conflicts] };
    });
  }

  #find(jobId: string): Row[] {
    return this.#storage.sql.exec<Row>(`SELECT * FROM (${BOTH}) WHERE job_id = ?`, jobId).toArray();
  }

  #insert(table: "commitments" | "rival_commitments", entry: GuardEntry, atMs: number): void {
    this.#storage.sql.exec(
      `INSERT INTO ${table} (job_id, role, commitment, output_cid, at) VALUES (?, ?, ?, ?, ?)`,
      entry.jobId,
      entry.role,
      entry.commitment,
      entry.outputCid,
      atMs,
    );
  }
}
