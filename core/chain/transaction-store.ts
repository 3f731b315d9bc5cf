/**
 * The queue's memory: a row a transaction, keyed by its purpose, and every set of signed bytes that was ever made for it,
 * because any of them may be mined. Rows of earlier versions are read as they are. No rules here, and no I/O but SQL.
 */
import type { Hex } from "viem";
import * as z from "zod";
import type { Call } from "./calls.ts";
import { addColumn, type Sql } from "./sql.ts";

const STATES = ["queued", "signed", "confirmed", "reverted", "failed", "cancelled"] as const;
export type TransactionState = (typeof STATES)[number];

/** Plain data, for people and the history. */
export interface TransactionRow {
  purpose: string;
  jobId: string | null;
  /** The operator's action that it is a step of. */
  action: string | null;
  to: string;
  state: TransactionState;
  nonce: number | null;
  /** Of the bytes that were mined, else of the latest. */
  hash: string | null;
  gasUsed: string | null;
  feeWei: string | null;
  error: string | null;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface StoredTransaction extends TransactionRow {
  call: Call;
  raw: Hex | null;
}

/**
 * `call`: the transaction itself. `cancel`: a no-op in its place. `filler`: a no-op at an earlier nonce that the account
 * never spent, without which this one cannot be mined.
 */
export type AttemptKind = "call" | "cancel" | "filler";

export interface Attempt {
  kind: AttemptKind;
  nonce: number;
  hash: Hex;
  raw: Hex;
  createdAtMs: number;
}

const hex = z.custom<Hex>((value) => typeof value === "string" && value.startsWith("0x"));
const storedRow = z
  .object({
    purpose: z.string(),
    job_id: z.string().nullable(),
    action: z.string().nullable(),
    destination: hex,
    data: hex,
    value: z.string(),
    state: z.enum(STATES),
    nonce: z.number().nullable(),
    raw: hex.nullable(),
    hash: z.string().nullable(),
    gas_used: z.string().nullable(),
    fee_wei: z.string().nullable(),
    error: z.string().nullable(),
    created_at: z.number(),
    updated_at: z.number(),
  })
  .transform(
    (row): StoredTransaction => ({
      purpose: row.purpose,
      jobId: row.job_id,
      action: row.action,
      to: row.destination,
      state: row.state,
      nonce: row.nonce,
      hash: row.hash,
      gasUsed: row.gas_used,
      feeWei: row.fee_wei,
      error: row.error,
      createdAtMs: row.created_at,
      updatedAtMs: row.updated_at,
      call: { purpose: row.purpose, to: row.destination, data: row.data, value: BigInt(row.value) },
      raw: row.raw,
    }),
  );
const storedAttempt = z
  .object({
    kind: z.enum(["call", "cancel", "filler"]),
    nonce: z.number(),
    hash: hex,
    raw: hex,
    created_at: z.number(),
  })
  .transform(({ created_at: createdAtMs, ...rest }): Attempt => ({ ...rest, createdAtMs }));

export class TransactionStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS transactions (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, purpose TEXT UNIQUE NOT NULL, job_id TEXT, destination TEXT NOT NULL,
      data TEXT NOT NULL, value TEXT NOT NULL, state TEXT NOT NULL, nonce INTEGER, raw TEXT, hash TEXT,
      gas_used TEXT, fee_wei TEXT, error TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`);
    addColumn(sql, "transactions", "looks", "INTEGER NOT NULL DEFAULT 0");
    addColumn(sql, "transactions", "action", "TEXT");
    sql.exec("CREATE INDEX IF NOT EXISTS transactions_open ON transactions (state, seq)");
    sql.exec("CREATE INDEX IF NOT EXISTS transactions_looks ON transactions (state, looks, updated_at)");
    sql.exec(`CREATE TABLE IF NOT EXISTS transaction_hashes (
      purpose TEXT NOT NULL, attempt INTEGER NOT NULL, kind TEXT NOT NULL, nonce INTEGER NOT NULL, hash TEXT NOT NULL,
      raw TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (purpose, attempt)) WITHOUT ROWID`);
    sql.exec(`CREATE TABLE IF NOT EXISTS transaction_actions (
      id TEXT PRIMARY KEY, request TEXT NOT NULL, created_at INTEGER NOT NULL)`);
    // Whoever deletes a transaction, its bytes go with it, and an action with its last one.
    sql.exec(`CREATE TRIGGER IF NOT EXISTS transactions_forgotten AFTER DELETE ON transactions BEGIN
      DELETE FROM transaction_hashes WHERE purpose = OLD.purpose;
      DELETE FROM transaction_actions WHERE id = OLD.action
        AND NOT EXISTS (SELECT 1 FROM transactions WHERE action = OLD.action);
    END`);
  }

  /** Adds a transaction unless its purpose is known. */
  add(call: Call, about: { jobId: string | null; action: string | null }, nowMs: number): void {
    const { purpose, to, data, value = 0n } = call;
    this.#sql.exec(
      `INSERT OR IGNORE INTO transactions
       (purpose, job_id, action, destination, data, value, state, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?)`,
      purpose,
      about.jobId,
      about.action,
      to,
      data,
      String(value),
      nowMs,
      nowMs,
    );
  }

  get(purpose: string): StoredTransaction | null {
    return this.#rows("WHERE purpose = ?", purpose)[0] ?? null;
  }

  /** The oldest that has not come to its end. */
  head(): StoredTransaction | null {
    return this.#rows("WHERE state IN ('queued', 'signed') ORDER BY seq LIMIT 1")[0] ?? null;
  }

  unsignedOfJob(jobId: string): StoredTransaction[] {
    return this.#rows("WHERE job_id = ? AND state = 'queued'", jobId);
  }

  /** Those in a block since before `beforeMs` that were looked for again `looks` times. */
  minedBefore(beforeMs: number, looks: number): StoredTransaction[] {
    return ["confirmed", "cancelled"].flatMap((state) =>
      this.#rows(
        "WHERE state = ? AND looks = ? AND updated_at <= ? AND hash IS NOT NULL ORDER BY seq",
        state,
        looks,
        beforeMs,
      ),
    );
  }

  noteLooks(purpose: string, looks: number): void {
    this.#sql.exec("UPDATE transactions SET looks = ? WHERE purpose = ?", looks, purpose);
  }

  save(row: StoredTransaction): void {
    const { state, nonce, raw, hash, gasUsed, feeWei, error, updatedAtMs, purpose } = row;
    this.#sql.exec(
      `UPDATE transactions SET state = ?, nonce = ?, raw = ?, hash = ?, gas_used = ?, fee_wei = ?, error = ?, updated_at = ?
       WHERE purpose = ?`,
      state,
      nonce,
      raw,
      hash,
      gasUsed,
      feeWei,
      error,
      updatedAtMs,
      purpose,
    );
  }

  /** Every set of bytes made for this transaction, oldest first. */
  attemptsOf(row: StoredTransaction): Attempt[] {
    const attempts = this.#sql
      .exec(
        "SELECT kind, nonce, hash, raw, created_at FROM transaction_hashes WHERE purpose = ? ORDER BY attempt",
        row.purpose,
      )
      .toArray()
      .map((attempt) => storedAttempt.parse(attempt));
    if (attempts.length > 0) return attempts;
    const { raw, nonce, updatedAtMs } = row;
    const hash = hex.safeParse(row.hash);
    // An earlier version kept the bytes in the transaction's own row alone.
    return raw === null || nonce === null || !hash.success
      ? []
      : [{ kind: "call", nonce, raw, hash: hash.data, createdAtMs: updatedAtMs }];
  }

  addAttempt(row: StoredTransaction, attempt: Attempt): void {
    const before = this.attemptsOf(row);
    for (const [index, { kind, nonce, hash, raw, createdAtMs }] of [...before, attempt].entries()) {
      this.#sql.exec(
        `INSERT OR IGNORE INTO transaction_hashes (purpose, attempt, kind, nonce, hash, raw, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        row.purpose,
        index + 1,
        kind,
        nonce,
        hash,
        raw,
        createdAtMs,
      );
    }
  }

  /** Forgets a transaction that came to nothing before `beforeMs`. */
  deleteFruitless(purpose: string, beforeMs: number): void {
    this.#sql.exec(
      "DELETE FROM transactions WHERE purpose = ? AND state IN ('failed', 'reverted', 'cancelled') AND updated_at <= ?",
      purpose,
      beforeMs,
    );
  }

  /** What an action's id was used for, as it was saved. */
  action(id: string): string | null {
    const [row] = this.#sql.exec("SELECT request FROM transaction_actions WHERE id = ?", id).toArray();
    return row === undefined ? null : z.string().parse(row.request);
  }

  addAction(id: string, request: string, nowMs: number): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO transaction_actions (id, request, created_at) VALUES (?, ?, ?)",
      id,
      request,
      nowMs,
    );
  }

  ofAction(id: string): StoredTransaction[] {
    return this.#rows("WHERE action = ? ORDER BY seq", id);
  }

  /** An action with steps that have not come to their end. */
  openAction(): string | null {
    return (
      this.#rows("WHERE state IN ('queued', 'signed') AND action IS NOT NULL ORDER BY seq LIMIT 1")[0]?.action ?? null
    );
  }

  #rows(where: string, ...bindings: (string | number)[]): StoredTransaction[] {
    return this.#sql
      .exec(`SELECT * FROM transactions ${where}`, ...bindings)
      .toArray()
      .map((row) => storedRow.parse(row));
  }
}

/** Without what only the queue needs. */
export function shown({ call: _call, raw: _raw, ...row }: StoredTransaction): TransactionRow {
  return row;
}
