/**
 * Which jobs this node has taken on: the row is written before the Assignment object hears of the offer, so that a
 * slot is held from the first moment and an offer is never taken twice. `handed` says that the Assignment has saved
 * its own row; until then the offer is handed over again.
 */
import type { Assignment as Offer, Role } from "../../../core/icl/schema.ts";
import { isFinalState, JOB_STATES, type JobState } from "../../../core/jobs/job.ts";

export interface IndexedJob {
  jobId: string;
  role: Role;
  modelId: string;
  state: JobState;
  handed: boolean;
  /** Whether the job holds one of the node's slots. */
  open: boolean;
  atMs: number;
}

/** Handles are uint256: JSON holds them as decimal strings. */
type StoredOffer = Omit<Offer, "kpHighHandle" | "kpLowHandle"> & { kpHighHandle: string; kpLowHandle: string };

/** Finished jobs remembered, newest first, so that a late duplicate of an offer is recognised. */
const KEEP_FINISHED = 2_000;

export class JobIndex {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS jobs (
      job_id TEXT PRIMARY KEY, role TEXT NOT NULL, model_id TEXT NOT NULL, state TEXT NOT NULL,
      handed INTEGER NOT NULL, open INTEGER NOT NULL, offer TEXT, at INTEGER NOT NULL)`);
    sql.exec("CREATE INDEX IF NOT EXISTS jobs_open ON jobs (open, handed)");
  }

  has(jobId: string): boolean {
    return this.#sql.exec("SELECT 1 FROM jobs WHERE job_id = ?", jobId).toArray().length > 0;
  }

  add(offer: Offer, nowMs: number): void {
    const stored: StoredOffer = {
      ...offer,
      kpHighHandle: `${offer.kpHighHandle}`,
      kpLowHandle: `${offer.kpLowHandle}`,
    };
    this.#sql.exec(
      "INSERT OR IGNORE INTO jobs (job_id, role, model_id, state, handed, open, offer, at) VALUES (?, ?, ?, 'offered', 0, 1, ?, ?)",
      offer.jobId,
      offer.role,
      offer.modelId,
      JSON.stringify(stored),
      nowMs,
    );
  }

  /** Offers whose Assignment has not confirmed them yet. */
  unhanded(): Offer[] {
    return this.#sql
      .exec<{ offer: string }>("SELECT offer FROM jobs WHERE handed = 0 AND open = 1 AND offer IS NOT NULL")
      .toArray()
      .map(({ offer }) => {
        const stored = JSON.parse(offer) as StoredOffer;
        return { ...stored, kpHighHandle: BigInt(stored.kpHighHandle), kpLowHandle: BigInt(stored.kpLowHandle) };
      });
  }

  handed(jobId: string): void {
    this.#sql.exec("UPDATE jobs SET handed = 1, offer = NULL WHERE job_id = ?", jobId);
  }

  /** Records a state; false when it was known. Reports may overtake one another, and repeat: a job never goes back. */
  moved(jobId: string, state: JobState, open: boolean, nowMs: number): boolean {
    const known = this.get(jobId);
    if (known === null || isFinalState(known.state)) return false;
    if (JOB_STATES.indexOf(known.state) >= JOB_STATES.indexOf(state)) return false;
    this.#sql.exec("UPDATE jobs SET state = ?, open = ?, at = ? WHERE job_id = ?", state, open ? 1 : 0, nowMs, jobId);
    if (!isFinalState(state)) return true;
    this.#sql.exec(
      `DELETE FROM jobs WHERE job_id IN
        (SELECT job_id FROM jobs WHERE state IN ('settled', 'failed') ORDER BY at DESC LIMIT -1 OFFSET ?)`,
      KEEP_FINISHED,
    );
    return true;
  }

  /** Takes a job's slot although the job has not moved; its next move decides anew. */
  release(jobId: string): void {
    this.#sql.exec("UPDATE jobs SET open = 0 WHERE job_id = ? AND open = 1", jobId);
  }

  /** Jobs that hold a slot. */
  open(): IndexedJob[] {
    return this.#list("WHERE open = 1 ORDER BY at");
  }

  /** Jobs that the coordinator still waits for. */
  unsubmitted(): IndexedJob[] {
    return this.#list("WHERE state NOT IN ('submitted', 'settled', 'failed') ORDER BY at");
  }

  /** Jobs that have not come to their end. */
  unfinished(): IndexedJob[] {
    return this.#list("WHERE state NOT IN ('settled', 'failed') ORDER BY at");
  }

  get(jobId: string): IndexedJob | null {
    return this.#list("WHERE job_id = ?", jobId)[0] ?? null;
  }

  #list(where: string, ...bindings: string[]): IndexedJob[] {
    return this.#sql
      .exec<{
        job_id: string;
        role: Role;
        model_id: string;
        state: JobState;
        handed: number;
        open: number;
        at: number;
      }>(`SELECT job_id, role, model_id, state, handed, open, at FROM jobs ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        jobId: row.job_id,
        role: row.role,
        modelId: row.model_id,
        state: row.state,
        handed: row.handed === 1,
        open: row.open === 1,
        atMs: row.at,
      }));
  }
}
