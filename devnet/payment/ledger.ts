/**
 * Who is owed what for which job (protocol §7, §9): one row for each member that took part. Invariant: a row that was paid
 * or closed never changes, so that a job may be reported any number of times, with more members each time.
 */
import type { Address, Hex } from "viem";
import type { Role } from "../../core/icl/schema.ts";
import type { SettledJob, SettledMember } from "../coordinator/ports.ts";

/** `PENDING`: owed, and not yet on chain. */
export type RowStatus = "PENDING" | "COMPLETED" | "FAILED" | "REFUNDED";

export interface LedgerRow {
  jobId: string;
  node: Address;
  role: Role;
  modelId: string;
  status: RowStatus;
  /** What was paid, in BLIND of 18 decimals; null while nothing was. */
  amount: bigint | null;
  tx: Hex | null;
  completedAtMs: number | null;
}

export interface Ledger {
  /** Enters a job's members and gives the rows that are owed money. */
  enter(job: SettledJob, nowMs: number): LedgerRow[];
  /** A node's rows, the latest first. */
  of(node: Address): LedgerRow[];
}

/** 1 BLIND a job: 60 % to the leader, 20 % to each verifier. */
export const REWARDS: Record<Role, bigint> = { leader: 600_000_000_000_000_000n, verifier: 200_000_000_000_000_000n };

export function createLedger(): Ledger {
  const rows = new Map<string, LedgerRow>();
  return {
    enter(job, nowMs) {
      return job.members.flatMap((member) => {
        const key = `${job.jobId}/${member.node}`;
        const row = rows.get(key) ?? newRow(job, member, nowMs);
        rows.set(key, row);
        return row.status === "PENDING" ? [row] : [];
      });
    },
    of: (node) => [...rows.values()].filter((row) => row.node === node).reverse(),
  };
}

function newRow(job: SettledJob, { node, role, part }: SettledMember, nowMs: number): LedgerRow {
  const status = job.outcome !== "accepted" ? "REFUNDED" : part === "earned" ? "PENDING" : "FAILED";
  const completedAtMs = status === "PENDING" ? null : nowMs;
  return { jobId: job.jobId, node, role, modelId: job.modelId, status, amount: null, tx: null, completedAtMs };
}
