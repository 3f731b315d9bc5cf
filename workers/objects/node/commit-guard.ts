/**
 * The commit guard: one commitment per (node, job), whatever the role, as validators guard against double signing.
 * Check and record happen in one synchronous stretch of one object, so nothing can come between. A second, different
 * commitment is refused for ever; the same one again is a harmless repeat. Entries are never deleted.
 */
import { ok, type Result, refuse } from "../../../core/result.ts";

export interface GuardEntry {
  jobId: string;
  role: string;
  /** 64 lowercase hex digits. */
  commitment: string;
  outputCid: string;
}

export class CommitGuardTable {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS commitments (
      job_id TEXT PRIMARY KEY, role TEXT NOT NULL, commitment TEXT NOT NULL, output_cid TEXT NOT NULL, at INTEGER NOT NULL)`);
  }

  record(entry: GuardEntry, nowMs: number): Result<null, string> {
    return this.#storage.transactionSync(() => {
      const [row] = this.#storage.sql
        .exec<{ commitment: string }>("SELECT commitment FROM commitments WHERE job_id = ?", entry.jobId)
        .toArray();
      if (row !== undefined) {
        if (row.commitment === entry.commitment) return ok(null);
        return refuse(`this node already committed to ${row.commitment} for this job`);
      }
      this.#storage.sql.exec(
        "INSERT INTO commitments (job_id, role, commitment, output_cid, at) VALUES (?, ?, ?, ?, ?)",
        entry.jobId,
        entry.role,
        entry.commitment,
        entry.outputCid,
        nowMs,
      );
      return ok(null);
    });
  }
}
