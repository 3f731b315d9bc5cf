/**
 * Brings one signed transaction into a block: the same bytes a few times, other bytes at the same nonce where those find
 * no place (replacement.ts), and the receipt of whichever was mined. What it makes is saved before it is broadcast.
 */
import { failpoint } from "../failpoint.ts";
import type { Clock, Log } from "../ports.ts";
import { nextAttempt } from "./replacement.ts";
import type { ChainClient } from "./rpc.ts";
import type { GuardedSigner } from "./signing-policy.ts";
import { type BroadcastOutcome, broadcast, nextNonce, type ReceiptState, receiptOf } from "./transaction.ts";
import type { Attempt, StoredTransaction, TransactionStore } from "./transaction-store.ts";

export interface SenderParts {
  client: ChainClient;
  signer: GuardedSigner;
  clock: Clock;
  log: Log;
  save(row: StoredTransaction): void;
}

export type Mined = Exclude<ReceiptState, { state: "pending" }> & { attempt: Attempt };

/** The same bytes go out at most this often in one go, about a second apart, as relayers on Arbitrum found enough. */
const BROADCASTS = 3;
const REBROADCAST_MS = 1_000;
/** Looks for our own receipt before a spent nonce counts as another's: RPC nodes behind one URL lag behind each other. */
const NONCE_LOOKS = 15;
/** Arbitrum's receipts come within a second; one that is not there after a few may take any time. */
const RECEIPT_POLL = { quickMs: 250, quickForMs: 3_000, slowMs: 1_000 };
/** How long one go waits for a receipt before it leaves the row to the next. */
const RECEIPT_WAIT_MS = 20_000;

const GIVEN_UP = "it found no place in a block, so a no-op took its nonce";

export class TransactionSender {
  readonly #store: TransactionStore;
  readonly #parts: SenderParts;

  constructor(store: TransactionStore, parts: SenderParts) {
    this.#store = store;
    this.#parts = parts;
  }

  /** Sends what is signed and waits for its receipt. True when it moved: to its end, or to other bytes to send. */
  async follow(row: StoredTransaction): Promise<boolean> {
    const { clock } = this.#parts;
    const startedMs = clock.now();
    let outcome: BroadcastOutcome | null = null;
    for (let sent = 0; clock.now() - startedMs < RECEIPT_WAIT_MS; ) {
      const mined = await this.minedOf(row);
      if (mined !== null) {
        if (__FAILPOINTS__) await this.#reached("transaction.mined", row);
        return this.settle(row, mined);
      }
      if (sent < BROADCASTS && clock.now() - startedMs >= sent * REBROADCAST_MS) {
        sent++;
        outcome = await this.#broadcast(row);
        if (__FAILPOINTS__) await this.#reached("transaction.sent", row);
        if (outcome === "nonce-used") return this.#settleUsedNonce(row);
        // What offers too little may wait for long: there is no receipt to wait for.
        if (outcome === "underpriced" && sent === BROADCASTS) break;
      }
      const waitedMs = clock.now() - startedMs;
      await clock.sleep(waitedMs < RECEIPT_POLL.quickForMs ? RECEIPT_POLL.quickMs : RECEIPT_POLL.slowMs);
    }
    return this.#replace(row, outcome === "underpriced");
  }

  /** The latest bytes, and those that fill a gap before them. */
  async #broadcast(row: StoredTransaction): Promise<BroadcastOutcome> {
    const { client } = this.#parts;
    const attempts = this.#store.attemptsOf(row);
    const filler = attempts.at(-1)?.kind === "filler" ? attempts.at(-1) : undefined;
    if (filler !== undefined) await broadcast(client, filler.raw);
    const latest = attempts.filter(({ kind, nonce }) => kind !== "filler" && nonce === row.nonce).at(-1);
    if (latest === undefined) throw new Error("a signed transaction without bytes");
    return broadcast(client, latest.raw);
  }

  /** True when there are other bytes to send now. */
  async #replace(row: StoredTransaction, refused: boolean): Promise<boolean> {
    const { client, signer, clock, log } = this.#parts;
    const attempts = this.#store.attemptsOf(row);
    const attempt = await nextAttempt({ client, signer, nowMs: clock.now() }, row, attempts, refused);
    if (attempt === null) return false;
    const { kind, nonce, hash, raw } = attempt;
    this.#store.addAttempt(row, attempt);
    log("warn", "transaction.replaced", { purpose: row.purpose, by: kind, nonce, hash });
    if (kind === "call") this.#parts.save({ ...row, raw, hash });
    if (kind === "cancel") this.#parts.save({ ...row, hash, error: GIVEN_UP });
    return true;
  }

  /** The bytes of this purpose that are in a block, whichever they are. */
  async minedOf(row: StoredTransaction): Promise<Mined | null> {
    for (const attempt of this.#store.attemptsOf(row).toReversed()) {
      if (attempt.kind === "filler") continue;
      const receipt = await receiptOf(this.#parts.client, attempt.hash);
      if (receipt.state !== "pending") return { ...receipt, attempt };
    }
    return null;
  }

  /** Its end, by the bytes that were mined. */
  settle(row: StoredTransaction, mined: Mined): true {
    const { hash, nonce, raw, kind } = mined.attempt;
    const spent = { hash, nonce, gasUsed: `${mined.gasUsed}`, feeWei: `${mined.feeWei}` };
    if (kind === "cancel") this.#parts.save({ ...row, ...spent, state: "cancelled", error: GIVEN_UP });
    else if (mined.state === "success") this.#parts.save({ ...row, ...spent, raw, state: "confirmed", error: null });
    else this.#parts.save({ ...row, ...spent, raw, state: "reverted", error: mined.reason });
    return true;
  }

  /** Our nonce is spent: by bytes of ours, whose receipt will show, or by another sender's, and then we sign anew. */
  async #settleUsedNonce(row: StoredTransaction): Promise<boolean> {
    const { client, signer, clock, log } = this.#parts;
    for (let look = 0; look < NONCE_LOOKS; look++) {
      await clock.sleep(REBROADCAST_MS);
      const mined = await this.minedOf(row);
      if (mined !== null) return this.settle(row, mined);
    }
    // The node that knows no receipt must itself have seen the nonce spent.
    if ((await nextNonce(client, signer.address, "latest")) <= (row.nonce ?? 0)) return false;
    log("warn", "transaction.nonce-taken", { purpose: row.purpose, nonce: row.nonce ?? -1 });
    const given = this.#store.attemptsOf(row).some(({ kind, nonce }) => kind === "cancel" && nonce === row.nonce);
    const end = given
      ? ({ state: "cancelled", error: GIVEN_UP } as const)
      : ({ state: "queued", error: null } as const);
    this.#parts.save({ ...row, ...end, nonce: null, raw: null, hash: null });
    return true;
  }

  #reached(point: string, row: StoredTransaction): Promise<void> {
    return failpoint(point, this.#parts.signer.address, row.jobId ?? "");
  }
}
