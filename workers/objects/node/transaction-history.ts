/**
 * What a transaction leaves in the history: its row, which the latest state replaces, and an event for the end of it, so
 * that who follows the node's events sees what became of it.
 */
import type { TransactionRow, TransactionState } from "../../../core/chain/queue.ts";
import type { HistoryEntry } from "../../adapters/history.ts";

const ENDS: readonly TransactionState[] = ["confirmed", "reverted", "failed", "cancelled"];

/** Entries with the outbox's keys. */
export function historyOf(node: string, row: TransactionRow): [string, HistoryEntry][] {
  const { createdAtMs, updatedAtMs, to, action: _action, ...kept } = row;
  const { purpose, state, jobId, hash, feeWei, error } = row;
  const entries: [string, HistoryEntry][] = [
    [
      `transaction/${purpose}`,
      { kind: "transaction", row: { node, ...kept, destination: to, createdAt: createdAtMs, updatedAt: updatedAtMs } },
    ],
  ];
  if (!ENDS.includes(state)) return entries;
  const id = `${node}/transaction/${purpose}/${state}/${updatedAtMs}`;
  const event = {
    id,
    node,
    jobId,
    at: updatedAtMs,
    level: state === "confirmed" ? "info" : "warn",
    type: `transaction.${state}`,
    fields: JSON.stringify({ purpose, hash, feeWei, ...(error === null ? {} : { reason: error }) }),
  };
  return [...entries, [id, { kind: "event", row: event }]];
}
