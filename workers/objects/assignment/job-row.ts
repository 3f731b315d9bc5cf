/**
 * The job's one row, the sealed answer beside it, and what has been told to whom. Every write of the job is guarded by
 * the version it was read at, and what belongs to a change is written in the same transaction.
 */
import type { JobStore } from "../../../core/jobs/driver.ts";
import type { SealedAnswers } from "../../../core/jobs/effects.ts";
import { JOB_SCHEMA, type Job, type JobState } from "../../../core/jobs/job.ts";

export class JobRow implements JobStore, SealedAnswers {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS job (
      id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL,
      reported_state TEXT, projected_version INTEGER NOT NULL DEFAULT 0)`);
    storage.sql.exec("CREATE TABLE IF NOT EXISTS answer (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL)");
  }

  load(): Job | null {
    const [row] = this.#storage.sql.exec<{ schema: number; json: string }>("SELECT schema, json FROM job").toArray();
    if (row === undefined) return null;
    if (row.schema !== JOB_SCHEMA) throw new Error(`a job of schema ${row.schema}, this version reads ${JOB_SCHEMA}`);
    return JSON.parse(row.json) as Job;
  }

  insert(job: Job): void {
    this.#storage.sql.exec(
      "INSERT OR IGNORE INTO job (id, schema, version, json) VALUES (1, ?, ?, ?)",
      job.schema,
      job.version,
      JSON.stringify(job),
    );
  }

  save(job: Job, previousVersion: number, alongside?: () => void): boolean {
    return this.#storage.transactionSync(() => {
      const written = this.#storage.sql.exec(
        "UPDATE job SET schema = ?, version = ?, json = ? WHERE id = 1 AND version = ?",
        job.schema,
        job.version,
        JSON.stringify(job),
        previousVersion,
      ).rowsWritten;
      if (written === 0) return false;
      alongside?.();
      return true;
    });
  }

  saveSealed(bytes: Uint8Array<ArrayBuffer>): void {
    this.#storage.sql.exec("INSERT OR REPLACE INTO answer (id, sealed) VALUES (1, ?)", bytes.slice().buffer);
  }

  loadSealed(): Uint8Array<ArrayBuffer> | null {
    const [row] = this.#storage.sql.exec<{ sealed: ArrayBuffer }>("SELECT sealed FROM answer").toArray();
    return row === undefined ? null : new Uint8Array(row.sealed);
  }

  forgetAnswer(): void {
    this.#storage.sql.exec("DELETE FROM answer");
  }

  reportedState(): JobState | null {
    const [row] = this.#storage.sql
      .exec<{ reported_state: JobState | null }>("SELECT reported_state FROM job")
      .toArray();
    return row?.reported_state ?? null;
  }

  setReportedState(state: JobState): void {
    this.#storage.sql.exec("UPDATE job SET reported_state = ?", state);
  }

  projectedVersion(): number {
    const [row] = this.#storage.sql.exec<{ projected_version: number }>("SELECT projected_version FROM job").toArray();
    return row?.projected_version ?? 0;
  }

  setProjectedVersion(version: number): void {
    this.#storage.sql.exec("UPDATE job SET projected_version = MAX(projected_version, ?)", version);
  }
}
