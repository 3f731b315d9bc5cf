/**
 * Makes a leader's output key readable for its user: one `storeKey` transaction through the account's queue, whatever
 * happens in between. Waits a while for the receipt and otherwise says "pending": the Assignment asks again.
 */
import { storeKeyCall } from "../../../core/chain/calls.ts";
import type { TransactionRow } from "../../../core/chain/queue.ts";
import { outputKeyStoreJobId } from "../../../core/crypto/output-key-id.ts";
import type { Failure } from "../../../core/errors.ts";
import type { EncryptedOutputKey } from "../../../core/executor/executor.ts";
import type { NodeContext } from "./context.ts";
import { unconfigured } from "./refusals.ts";

export type GrantReply =
  | { state: "confirmed"; hash: string }
  | { state: "pending" }
  | { state: "failed"; failure: Failure };

/** How long one call waits for the transaction. */
const WAIT_MS = 20_000;
const WAIT_STEP_MS = 100;

export interface Grant {
  jobId: string;
  /** Who may read the key: the user's address. */
  user: string;
  key: EncryptedOutputKey;
}

/** The one transaction that a job's output key ever gets. */
export function outputKeyPurpose(jobId: string): string {
  return `output-key:${jobId}`;
}

export async function grantOutputKey(context: NodeContext, grant: Grant): Promise<GrantReply> {
  const { transactions, kit } = context;
  const contract = kit.settings.contracts.promptKeyStore;
  if (contract === undefined) return { state: "failed", failure: unconfigured() };
  const { jobId, user, key } = grant;
  const call = storeKeyCall(contract, {
    purpose: outputKeyPurpose(jobId),
    storeJobId: outputKeyStoreJobId(jobId),
    high: key.high,
    low: key.low,
    allowed: [user as `0x${string}`],
  });
  transactions.enqueue(call, jobId);
  const untilMs = kit.clock.now() + WAIT_MS;
  let running = true;
  // The queue runs on when this call gives up waiting; what stops it is told through `blocked`.
  const run = transactions.run().finally(() => {
    running = false;
  });
  const settled = run.catch(() => undefined);
  for (;;) {
    const reply = replyOf(transactions.get(call.purpose));
    if (reply !== null) return reply;
    if (!running) {
      return transactions.blocked === null ? { state: "pending" } : { state: "failed", failure: transactions.blocked };
    }
    if (kit.clock.now() >= untilMs) return { state: "pending" };
    await Promise.race([settled, kit.clock.sleep(WAIT_STEP_MS)]);
  }
}

/** Null while the transaction is on its way. */
function replyOf(row: TransactionRow | null): GrantReply | null {
  switch (row?.state) {
    case "confirmed":
      return row.hash === null ? null : { state: "confirmed", hash: row.hash };
    case "reverted":
    case "failed":
    case "cancelled":
      return { state: "failed", failure: notDone(row.error) };
    default:
      return null;
  }
}

function notDone(error: string | null): Failure {
  return {
    code: "transaction-reverted",
    message: error ?? "the transaction did not succeed",
    hint: "See the transaction in GET /api/transactions and the contract's reason there.",
    retry: "never",
    admitted: "yes",
  };
}
