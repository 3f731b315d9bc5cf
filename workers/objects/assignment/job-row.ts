/**
 * The job's one row, the sealed answer beside it, and what has been told to whom. Every write of the job is guarded by
 * the version it was read at, and what belongs to a change is written in the same transaction. A row of an older schema
 * is brought up as it is read; one that cannot be read is never written. An object without a job stores nothing at all.
 */
import type { JobStore } from "../../../core/jobs/driver.ts";
import type { SealedAnswers } from "../../../core/jobs/effects.ts";
import { isFinal, type Job, type JobState } from "../../../core/jobs/job.ts";
import { readJob, type UnreadableJob } from "../../../core/jobs/upgrade.ts";
import { ok, type Result } from "../../../core/result.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** How long what is left of a finished job is kept, as the settings say it. */
export interface JobRetention {
  jobRecordDays: number;
  sealedAnswerHours: number;
}

export class JobRow implements JobStore, SealedAnswers {
  readonly #storage: DurableObjectStorage;
  /** Whether the tables are there; asking about a job that nobody has must leave nothing behind. */
  #exists: boolean;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#exists = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'job'").toArray().length > 0;
  }

  /** The job, null where there is none, or why the row cannot be worked on. */
  read(): Result<Job | null, UnreadableJob> {
    const row = this.#first<{ schema: number; json: string }>("SELECT schema, json FROM job");
    return row === undefined ? ok(null) : readJob(row.schema, row.json);
  }

  /** The job; null also where it cannot be read: then nothing may be done with it. */
  load(): Job | null {
    const read = this.read();
    return read.ok ? read.value : null;
  }

  /** Saves a new job. A row that is there stays, readable or not. */
  insert(job: Job): void {
    this.#storage.transactionSync(() => {
      this.#createTables();
      this.#storage.sql.exec(
        "INSERT OR IGNORE INTO job (id, schema, version, json) VALUES (1, ?, ?, ?)",
        job.schema,
        job.version,
        JSON.stringify(job),
      );
    });
    this.#exists = true;
  }

  /** Also writes the schema that the job was brought up to. */
  save(job: Job, previousVersion: number, alongside?: () => void): boolean {
    if (!this.#exists) return false;
    return this.#storage.transactionSync(() => {
      const written = this.#storage.sql.exec(
        "UPDATE job SET schema = ?, version = ?, json = ? WHERE id = 1 AND version = ? AND schema <= ?",
        job.schema,
        job.version,
        JSON.stringify(job),
        previousVersion,
        job.schema,
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
    const row = this.#first<{ sealed: ArrayBuffer }>("SELECT sealed FROM answer");
    return row === undefined ? null : new Uint8Array(row.sealed);
  }

  forgetAnswer(): void {
    if (this.#exists) this.#storage.sql.exec("DELETE FROM answer");
  }

  /**
   * Deletes what a finished job need not keep any longer: the sealed answer, later everything. For a job whose end the
   * Node object and the history both know.
   * @returns when to call again, ms since the epoch; null when nothing is left to delete, or the job is not finished
   */
  async tidy(keep: JobRetention, nowMs: number): Promise<number | null> {
    const job = this.load();
    if (job === null || !isFinal(job)) return null;
    const endedAtMs = job.times[job.state] ?? nowMs;
    const recordUntilMs = endedAtMs + keep.jobRecordDays * DAY_MS;
    if (nowMs >= recordUntilMs) {
      await this.deleteEverything();
      return null;
    }
    const answerUntilMs = endedAtMs + keep.sealedAnswerHours * HOUR_MS;
    if (nowMs < answerUntilMs && this.loadSealed() !== null) return Math.min(answerUntilMs, recordUntilMs);
    this.forgetAnswer();
    return recordUntilMs;
  }

  /** Deletes all that the object stores, its alarm too: an object without storage costs nothing. */
  async deleteEverything(): Promise<void> {
    this.#exists = false;
    await this.#storage.deleteAlarm();
    await this.#storage.deleteAll();
  }

  reportedState(): JobState | null {
    const row = this.#first<{ reported_state: JobState | null }>("SELECT reported_state FROM job");
    return row?.reported_state ?? null;
  }

  setReportedState(state: JobState): void {
    if (this.#exists) this.#storage.sql.exec("UPDATE job SET reported_state = ?", state);
  }

  projectedVersion(): number {
    return this.#first<{ projected_version: number }>("SELECT projected_version FROM job")?.projected_version ?? 0;
  }

  setProjectedVersion(version: number): void {
    if (this.#exists) {
      this.#storage.sql.exec("UPDATE job SET projected_version = MAX(projected_version, ?)", version);
    }
  }

  #createTables(): void {
    const { sql } = this.#storage;
    sql.exec(`CREATE TABLE IF NOT EXISTS job (
      id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL,
      reported_state TEXT, projected_version INTEGER NOT NULL DEFAULT 0)`);
    sql.exec("CREATE TABLE IF NOT EXISTS answer (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL)");
  }

  #first<T extends Record<string, SqlStorageValue>>(query: string): T | undefined {
    return this.#exists ? this.#storage.sql.exec<T>(query).toArray()[0] : undefined;
  }
}
