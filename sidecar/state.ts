/**
 * The sidecar's state folder: one SQLite file for what survives a restart, in a folder that only its user may enter. It
 * refuses a folder that another running sidecar has. Invariant: what a statement wrote is on the disk when it returns,
 * and nothing in here is plaintext: keys and permits are wrapped, answers sealed.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { NodeError } from "../core/errors.ts";

export interface State {
  db: DatabaseSync;
  /** For stores with a file of their own. */
  path(name: string): string;
  close(): void;
}

const BUSY_MS = 5_000;

const SCHEMA = `
  create table if not exists executions (
    node text not null,
    job_id text not null,
    role text not null,
    digest text not null,
    request text not null,
    state text not null check (state in ('running', 'done', 'failed')),
    reply text,
    created_ms integer not null,
    updated_ms integer not null,
    primary key (node, job_id, role)
  ) strict;
  create index if not exists executions_by_time on executions (state, updated_ms);
  create table if not exists output_keys (
    node text not null,
    job_id text not null,
    wrapped text not null,
    pool_id text,
    encrypted text,
    created_ms integer not null,
    primary key (node, job_id)
  ) strict;
  create table if not exists key_pool (
    pool_id text primary key,
    node text not null,
    wrapped text not null,
    encrypted text not null,
    created_ms integer not null
  ) strict;
  create table if not exists permits (node text primary key, wrapped text not null) strict;
`;

/** Throws NodeError `settings` where the folder cannot be used, or another sidecar has it. */
export function openState(dir: string): State {
  const folder = resolve(dir);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // It may have been there before, open to others.
    chmodSync(folder, 0o700);
  } catch (error) {
    throw unusable(folder, error);
  }
  const lock = takeLock(folder);
  try {
    const db = openDatabase(folder, join(folder, "sidecar.sqlite"));
    return {
      db,
      path: (name) => join(folder, name),
      close() {
        db.close();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** A memory-only state, for tests and for nothing else. */
export function openMemoryState(): State {
  const db = new DatabaseSync(":memory:");
  db.exec(SCHEMA);
  return { db, path: () => ":memory:", close: () => db.close() };
}

/** Runs `work` whole or not at all. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("begin immediate");
  try {
    const value = work();
    db.exec("commit");
    return value;
  } catch (error) {
    db.exec("rollback");
    throw error;
  }
}

/** Held by the operating system for as long as the process lives, however that ends. */
function takeLock(folder: string): DatabaseSync {
  const lock = open(folder, join(folder, "lock.sqlite"), 0);
  try {
    lock.exec("begin exclusive");
    return lock;
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw unusable(folder, error);
    throw new NodeError("settings", `another sidecar uses the state folder ${folder}`, {
      retry: "never",
      hint: "Stop it first, or give each a BLF_SIDECAR_STATE of its own: two with one folder would share keys and jobs.",
      cause: error,
    });
  }
}

function openDatabase(folder: string, path: string): DatabaseSync {
  const db = open(folder, path, BUSY_MS);
  try {
    db.exec("pragma journal_mode = wal; pragma synchronous = full;");
    db.exec(SCHEMA);
    return db;
  } catch (error) {
    db.close();
    throw unusable(folder, error);
  }
}

function open(folder: string, path: string, timeout: number): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout });
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}

function unusable(folder: string, cause: unknown): NodeError {
  // SQLite's own words tell a full disk from a file that is no database; they hold no value.
  const why =
    cause instanceof Error && "errstr" in cause
      ? cause.errstr
      : cause instanceof Error && "code" in cause
        ? cause.code
        : undefined;
  const code = typeof why === "string" ? ` (${why})` : "";
  return new NodeError("settings", `the state folder ${folder} cannot be used${code}`, {
    retry: "never",
    hint: "Give BLF_SIDECAR_STATE a folder that the sidecar's user may write to, on a local disk.",
    cause,
  });
}
