/**
 * One account's transactions, one after another. A purpose names a transaction for ever: asking again finds the first.
 * Signed bytes are saved before they are broadcast, and only those bytes are ever broadcast for a purpose; N+1 is
 * signed only after N has its receipt. After a crash the receipt is looked for before anything is sent again.
 */

import type { Call } from "../../../core/chain/calls.ts";
import type { ChainClient } from "../../../core/chain/rpc.ts";
import { broadcast, nextNonce, prepare, receiptOf } from "../../../core/chain/transaction.ts";
import { type Failure, toFailure } from "../../../core/errors.ts";
import { failpoint } from "../../../core/failpoint.ts";
import type { Clock, Log } from "../../../core/ports.ts";
import type { Signer } from "../../../core/signer.ts";
import { addColumn } from "./columns.ts";
import { forgetTransactions } from "./transaction-retention.ts";

export type TransactionState = "queued" | "signed" | "confirmed" | "reverted" | "failed" | "cancelled";

export interface TransactionRow {
  purpose: string;
  jobId: string | null;
  to: string;
  state: TransactionState;
  nonce: number | null;
  hash: string | null;
  gasUsed: string | null;
  feeWei: string | null;
  error: string | null;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface QueueParts {
  client: ChainClient;
  signer: Signer;
  clock: Clock;
  log: Log;
  /** Told after every saved change. Must not throw. */
  onChange(row: TransactionRow): void;
}

/** The same bytes go out at most this often in one go, about a second apart, as relayers on Arbitrum found enough. */
const BROADCASTS = 3;
const REBROADCAST_MS = 1_000;
/** Looks for our own receipt before a spent nonce counts as another's: RPC nodes behind one URL lag behind each other. */
const NONCE_LOOKS = 15;
const RECEIPT_POLL_MS = 250;
/** When a confirmed transaction is looked for again. Deeper reorganisations are not seen on Arbitrum. */
const LOOKS_AGAIN_MS = [30_000, 180_000];
/** How long one go waits for a receipt before it leaves the row to the next. */
const RECEIPT_WAIT_MS = 20_000;

type StoredRow = TransactionRow & { data: string; value: string; raw: string | null };

export class TransactionQueue {
  readonly #sql: SqlStorage;
  readonly #parts: QueueParts;
  #run: Promise<void> | null = null;
  /** Why the head of the queue did not move, for those who wait on it. */
  #blocked: Failure | null = null;

  constructor(sql: SqlStorage, parts: QueueParts) {
    this.#sql = sql;
    this.#parts = parts;
    sql.exec(`CREATE TABLE IF NOT EXISTS transactions (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, purpose TEXT UNIQUE NOT NULL, job_id TEXT, destination TEXT NOT NULL,
      data TEXT NOT NULL, value TEXT NOT NULL, state TEXT NOT NULL, nonce INTEGER, raw TEXT, hash TEXT,
      gas_used TEXT, fee_wei TEXT, error TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`);
    addColumn(sql, "transactions", "looks", "INTEGER NOT NULL DEFAULT 0");
    sql.exec("CREATE INDEX IF NOT EXISTS transactions_open ON transactions (state, seq)");
    sql.exec("CREATE INDEX IF NOT EXISTS transactions_looks ON transactions (state, looks, updated_at)");
  }

  /** Adds a transaction unless its purpose is known. */
  enqueue(call: Call, jobId: string | null): void {
    const nowMs = this.#parts.clock.now();
    this.#sql.exec(
      `INSERT OR IGNORE INTO transactions (purpose, job_id, destination, data, value, state, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)`,
      call.purpose,
      jobId,
      call.to,
      call.data,
      String(call.value ?? 0n),
      nowMs,
      nowMs,
    );
  }

  /** Gives a purpose another chance: forgets the transaction if it came to nothing, and that was `afterMs` ago. */
  retryFailed(purpose: string, afterMs: number): void {
    this.#sql.exec(
      "DELETE FROM transactions WHERE purpose = ? AND state IN ('failed', 'reverted', 'cancelled') AND updated_at <= ?",
      purpose,
      this.#parts.clock.now() - afterMs,
    );
  }

  get(purpose: string): TransactionRow | null {
    return this.#rows("WHERE purpose = ?", purpose)[0] ?? null;
  }

  /** Since when the oldest transaction without a receipt has been waiting, ms; null where none is. */
  waitingSinceMs(): number | null {
    return this.#head()?.createdAtMs ?? null;
  }

  get blocked(): Failure | null {
    return this.#blocked;
  }

  /** Drops a job's transaction that was never signed: its job is over. */
  cancelUnsigned(jobId: string): void {
    for (const row of this.#rows("WHERE job_id = ? AND state = 'queued'", jobId))
      this.#save({ ...row, state: "cancelled" });
  }

  /** Forgets finished ones that nobody can ask for again. */
  forgetFinished(days: number, limit: number): void {
    forgetTransactions(this.#sql, this.#parts.clock.now(), days, limit);
  }

  /** Works through the queue until it is empty or its head cannot move now. One run at a time; a second call joins. */
  run(): Promise<void> {
    this.#run ??= this.#drainAndLookAgain().finally(() => {
      this.#run = null;
    });
    return this.#run;
  }

  async #drainAndLookAgain(): Promise<void> {
    await this.#drain();
    if (await this.#lookAgain()) await this.#drain();
  }

  /** A chain may be reorganised after a receipt. True when a transaction was lost that way: its bytes go out again. */
  async #lookAgain(): Promise<boolean> {
    const { client, clock, log } = this.#parts;
    let lost = false;
    for (const [looks, afterMs] of LOOKS_AGAIN_MS.entries()) {
      const due = this.#rows(
        "WHERE state = 'confirmed' AND looks = ? AND updated_at <= ?",
        looks,
        clock.now() - afterMs,
      );
      for (const row of due) {
        const receipt = await receiptOf(client, row.hash as `0x${string}`);
        if (receipt.state === "pending") {
          log("warn", "transaction.reorganised", { purpose: row.purpose, hash: row.hash });
          this.#save({ ...row, state: "signed", gasUsed: null, feeWei: null });
          lost = true;
        } else this.#sql.exec("UPDATE transactions SET looks = ? WHERE purpose = ?", looks + 1, row.purpose);
      }
    }
    return lost;
  }

  async #drain(): Promise<void> {
    for (;;) {
      const head = this.#head();
      if (head === null) return;
      try {
        const moved = await this.#advance(head);
        this.#blocked = null;
        if (!moved) return;
      } catch (error) {
        const failure = toFailure(error);
        this.#parts.log("warn", "transaction.blocked", {
          purpose: head.purpose,
          code: failure.code,
          reason: failure.message,
        });
        if (failure.retry === "never") {
          // As it now is: it may have been signed since.
          const [row] = this.#rows("WHERE purpose = ?", head.purpose);
          this.#save({ ...(row ?? head), state: "failed", error: `${failure.code}: ${failure.message}` });
          continue;
        }
        this.#blocked = failure;
        return;
      }
    }
  }

  /** Signs, sends and follows one transaction. True when it reached its end. */
  async #advance(row: StoredRow): Promise<boolean> {
    const { client } = this.#parts;
    if (__FAILPOINTS__ && row.state === "queued") await this.#reached("transaction.queued", row);
    const signed = row.state === "queued" ? await this.#sign(client, row) : row;
    if (__FAILPOINTS__ && row.state === "queued") await this.#reached("transaction.signed", row);
    if (signed.raw === null || signed.hash === null) throw new Error("a signed transaction without bytes");
    const startedMs = this.#parts.clock.now();
    for (let sent = 0; this.#parts.clock.now() - startedMs < RECEIPT_WAIT_MS; ) {
      const receipt = await receiptOf(client, signed.hash as `0x${string}`);
      if (receipt.state !== "pending") {
        if (__FAILPOINTS__) await this.#reached("transaction.mined", row);
        const { state, gasUsed, feeWei } = receipt;
        const error = state === "reverted" ? receipt.reason : null;
        const confirmed = state === "success" ? "confirmed" : "reverted";
        this.#save({ ...signed, state: confirmed, gasUsed: `${gasUsed}`, feeWei: `${feeWei}`, error });
        return true;
      }
      if (sent < BROADCASTS && this.#parts.clock.now() - startedMs >= sent * REBROADCAST_MS) {
        sent++;
        const outcome = await broadcast(client, signed.raw as `0x${string}`);
        if (__FAILPOINTS__) await this.#reached("transaction.sent", row);
        if (outcome === "nonce-used") return this.#settleUsedNonce(client, signed);
      }
      await this.#parts.clock.sleep(RECEIPT_POLL_MS);
    }
    return false;
  }

  async #sign(client: ChainClient, row: StoredRow): Promise<StoredRow> {
    const nonce = await nextNonce(client, this.#parts.signer.address);
    const call = {
      purpose: row.purpose,
      to: row.to as `0x${string}`,
      data: row.data as `0x${string}`,
      value: BigInt(row.value),
    };
    const { raw, hash } = await prepare({ client, signer: this.#parts.signer, call, nonce });
    const signed: StoredRow = { ...row, state: "signed", nonce, raw, hash };
    this.#save(signed);
    return signed;
  }

  /** Our nonce is spent: by this very transaction, whose receipt will show, or by another sender's, and then we sign anew. */
  async #settleUsedNonce(client: ChainClient, row: StoredRow): Promise<boolean> {
    for (let look = 0; look < NONCE_LOOKS; look++) {
      await this.#parts.clock.sleep(REBROADCAST_MS);
      const receipt = await receiptOf(client, row.hash as `0x${string}`);
      if (receipt.state !== "pending") return this.#advance(row);
    }
    this.#parts.log("warn", "transaction.nonce-taken", { purpose: row.purpose, nonce: row.nonce ?? -1 });
    this.#save({ ...row, state: "queued", nonce: null, raw: null, hash: null });
    return true;
  }

  #reached(point: string, row: StoredRow): Promise<void> {
    return failpoint(point, this.#parts.signer.address, row.jobId ?? "");
  }

  #head(): StoredRow | null {
    return this.#rows("WHERE state IN ('queued', 'signed') ORDER BY seq LIMIT 1")[0] ?? null;
  }

  #save(row: StoredRow): void {
    const updated = { ...row, updatedAtMs: this.#parts.clock.now() };
    this.#sql.exec(
      `UPDATE transactions SET state = ?, nonce = ?, raw = ?, hash = ?, gas_used = ?, fee_wei = ?, error = ?, updated_at = ?
       WHERE purpose = ?`,
      row.state,
      row.nonce,
      row.raw,
      row.hash,
      row.gasUsed,
      row.feeWei,
      row.error,
      updated.updatedAtMs,
      row.purpose,
    );
    const { data: _data, value: _value, raw: _raw, ...shown } = updated;
    this.#parts.log("info", `transaction.${row.state}`, { purpose: row.purpose, hash: row.hash, nonce: row.nonce });
    this.#parts.onChange(shown);
  }

  #rows(where: string, ...bindings: (string | number)[]): StoredRow[] {
    return this.#sql
      .exec<Record<string, string | number | null>>(`SELECT * FROM transactions ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        purpose: String(row.purpose),
        jobId: row.job_id === null || row.job_id === undefined ? null : String(row.job_id),
        to: String(row.destination),
        data: String(row.data),
        value: String(row.value),
        state: row.state as TransactionState,
        nonce: row.nonce as number | null,
        raw: row.raw as string | null,
        hash: row.hash as string | null,
        gasUsed: row.gas_used as string | null,
        feeWei: row.fee_wei as string | null,
        error: row.error as string | null,
        createdAtMs: Number(row.created_at),
        updatedAtMs: Number(row.updated_at),
      }));
  }
}
