/**
 * One account's transactions, one after another. A purpose names a transaction for ever: asking again finds the first.
 * Signed bytes are saved before they are broadcast; N+1 is signed only after N has its receipt. Bytes that stay without
 * a receipt are replaced at the same nonce and finally cancelled there (sender.ts, replacement.ts), so that of all the
 * bytes of one purpose at most one is ever mined. After a crash receipts are looked for before anything is sent again.
 */
import { type Failure, toFailure } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import type { Clock, Log } from "../ports.ts";
import type { Call } from "./calls.ts";
import { callCap } from "./fees.ts";
import type { ChainClient } from "./rpc.ts";
import { TransactionSender } from "./sender.ts";
import type { GuardedSigner } from "./signing-policy.ts";
import type { Sql } from "./sql.ts";
import { nextNonce, prepare } from "./transaction.ts";
import { type StoredTransaction, shown, type TransactionRow, TransactionStore } from "./transaction-store.ts";

export type { TransactionRow, TransactionState } from "./transaction-store.ts";

export interface QueueParts {
  client: ChainClient;
  /** Behind the policy: nothing else can sign here. */
  signer: GuardedSigner;
  clock: Clock;
  log: Log;
  /** Told after every saved change. Must not throw. */
  onChange(row: TransactionRow): void;
}

/** A row as the operator sees it. */
export interface LiveTransaction extends TransactionRow {
  /** How many sets of bytes were signed for it, its replacements and no-ops included. */
  attempts: number;
  /** Why it does not move now. */
  blocked: { code: string; message: string; hint: string } | null;
}

/** When a transaction in a block is looked for again. Deeper reorganisations are not seen on Arbitrum. */
const LOOKS_AGAIN_MS = [30_000, 180_000];

export class TransactionQueue {
  readonly #store: TransactionStore;
  readonly #parts: QueueParts;
  readonly #sender: TransactionSender;
  #run: Promise<void> | null = null;
  /** Why the head of the queue did not move, for those who wait on it. */
  #blocked: Failure | null = null;

  constructor(sql: Sql, parts: QueueParts) {
    this.#store = new TransactionStore(sql);
    this.#parts = parts;
    this.#sender = new TransactionSender(this.#store, { ...parts, save: (row) => this.#save(row) });
  }

  /** Adds a transaction unless its purpose is known. */
  enqueue(call: Call, jobId: string | null): void {
    this.#store.add(call, { jobId, action: null }, this.#parts.clock.now());
  }

  /** Adds an action's transactions, in this order: each is sent only if those before it were confirmed. */
  enqueueAction(id: string, request: string, calls: readonly Call[]): void {
    const nowMs = this.#parts.clock.now();
    for (const call of calls) this.#store.add(call, { jobId: null, action: id }, nowMs);
    this.#store.addAction(id, request, nowMs);
  }

  /** What an action's id was used for, as it was given; null where it is new. */
  actionRequest(id: string): string | null {
    return this.#store.action(id);
  }

  /** The action that is under way, if one is. */
  openAction(): string | null {
    return this.#store.openAction();
  }

  action(id: string): LiveTransaction[] {
    const head = this.#store.head();
    return this.#store.ofAction(id).map((row) => {
      const waits = this.#blocked !== null && row.purpose === head?.purpose;
      const { code, message, hint } = this.#blocked ?? { code: "", message: "", hint: "" };
      const attempts = this.#store.attemptsOf(row).length;
      return { ...shown(row), attempts, blocked: waits ? { code, message, hint } : null };
    });
  }

  /** Gives a purpose another chance: forgets the transaction if it came to nothing, and that was `afterMs` ago. */
  retryFailed(purpose: string, afterMs: number): void {
    this.#store.deleteFruitless(purpose, this.#parts.clock.now() - afterMs);
  }

  get(purpose: string): TransactionRow | null {
    const row = this.#store.get(purpose);
    return row === null ? null : shown(row);
  }

  /** Since when the oldest transaction without a receipt has been waiting, ms; null where none is. */
  waitingSinceMs(): number | null {
    return this.#store.head()?.createdAtMs ?? null;
  }

  get blocked(): Failure | null {
    return this.#blocked;
  }

  /** Drops a job's transaction that was never signed: its job is over. */
  cancelUnsigned(jobId: string): void {
    for (const row of this.#store.unsignedOfJob(jobId)) {
      this.#save({ ...row, state: "cancelled", error: "its job ended before it was signed" });
    }
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

  /**
   * Whether a transaction that had its receipt is in a block still: looked for now, because somebody doubts it. One that
   * a reorganisation dropped goes back into the queue, and its bytes out again with the next run. Throws NodeError.
   */
  async stands(purpose: string): Promise<boolean> {
    const row = this.#store.get(purpose);
    return row?.state === "confirmed" && (await this.#isMinedStill(row));
  }

  /** A chain may be reorganised after a receipt. True when a transaction was lost that way: its bytes go out again. */
  async #lookAgain(): Promise<boolean> {
    let lost = false;
    for (const [looks, afterMs] of LOOKS_AGAIN_MS.entries()) {
      for (const row of this.#store.minedBefore(this.#parts.clock.now() - afterMs, looks)) {
        if (await this.#isMinedStill(row)) this.#store.noteLooks(row.purpose, looks + 1);
        else lost = true;
      }
    }
    return lost;
  }

  async #isMinedStill(row: StoredTransaction): Promise<boolean> {
    const mined = await this.#sender.minedOf(row);
    if (mined?.attempt.hash === row.hash) return true;
    this.#parts.log("warn", "transaction.reorganised", { purpose: row.purpose, hash: row.hash });
    this.#save({ ...row, state: "signed", gasUsed: null, feeWei: null, error: null });
    return false;
  }

  async #drain(): Promise<void> {
    for (;;) {
      const head = this.#store.head();
      if (head === null) return;
      try {
        const moved = await this.#advance(head);
        this.#blocked = null;
        if (!moved) return;
      } catch (error) {
        if (!this.#stopped(head, toFailure(error))) return;
      }
    }
  }

  /** Notes why the head did not move. True when that was its end, so that the queue goes on. */
  #stopped({ purpose }: StoredTransaction, failure: Failure): boolean {
    const { code, message, retry } = failure;
    this.#parts.log("warn", "transaction.blocked", { purpose, code, reason: message });
    // As it now is: it may have been signed since.
    const row = this.#store.get(purpose);
    if (row !== null && retry === "never" && this.#isUnsent(row, failure)) {
      this.#save({ ...row, state: "failed", error: `${code}: ${message}` });
      return true;
    }
    this.#blocked = failure;
    return false;
  }

  /** Whether no chain can have it: never signed, or its only bytes are such as no RPC node takes. */
  #isUnsent(row: StoredTransaction, { code }: Failure): boolean {
    if (row.state === "queued") return true;
    return code === "transaction-refused" && this.#store.attemptsOf(row).length === 1;
  }

  /** Signs, sends and follows one transaction. True when it moved: its end, or other bytes to send. */
  async #advance(row: StoredTransaction): Promise<boolean> {
    if (row.state === "signed") return this.#sender.follow(row);
    if (__FAILPOINTS__) await this.#reached("transaction.queued", row);
    if (this.#lacksItsStep(row)) return true;
    // Bytes of an earlier nonce, which another sender seemed to have spent.
    const mined = await this.#sender.minedOf(row);
    if (mined !== null) return this.#sender.settle(row, mined);
    const signed = await this.#sign(row);
    if (signed === null) return true;
    if (__FAILPOINTS__) await this.#reached("transaction.signed", row);
    return this.#sender.follow(signed);
  }

  async #sign(row: StoredTransaction): Promise<StoredTransaction | null> {
    const { client, signer, clock } = this.#parts;
    const nonce = await nextNonce(client, signer.address);
    const maxFeePerGasWei = callCap(signer.policy.maxFeePerGasWei);
    const { raw, hash } = await prepare({ client, signer, call: row.call, nonce, maxFeePerGasWei });
    // Its job may have ended meanwhile.
    if (this.#store.get(row.purpose)?.state !== "queued") return null;
    const signed: StoredTransaction = { ...row, state: "signed", nonce, raw, hash };
    this.#store.addAttempt(row, { kind: "call", nonce, raw, hash, createdAtMs: clock.now() });
    this.#save(signed);
    return signed;
  }

  /** An action's step whose predecessor came to nothing is not sent. */
  #lacksItsStep(row: StoredTransaction): boolean {
    if (row.action === null) return false;
    const steps = this.#store.ofAction(row.action);
    const before = steps.slice(
      0,
      steps.findIndex(({ purpose }) => purpose === row.purpose),
    );
    const lost = before.find(({ state }) => state !== "confirmed");
    if (lost === undefined) return false;
    this.#save({ ...row, state: "cancelled", error: `not sent, because ${lost.purpose} came to nothing` });
    return true;
  }

  #reached(point: string, row: StoredTransaction): Promise<void> {
    return failpoint(point, this.#parts.signer.address, row.jobId ?? "");
  }

  #save(row: StoredTransaction): void {
    const updated = { ...row, updatedAtMs: this.#parts.clock.now() };
    this.#store.save(updated);
    this.#parts.log("info", `transaction.${row.state}`, { purpose: row.purpose, hash: row.hash, nonce: row.nonce });
    this.#parts.onChange(shown(updated));
  }
}
