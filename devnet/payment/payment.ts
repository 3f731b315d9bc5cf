/**
 * The devnet's payment service (protocol §9): pays rewards as ERC-20 transfers from its own account, and tells nodes what
 * they earned. A transfer that fails leaves its row pending, and the next report of the job tries it again.
 */
import { Hono } from "hono";
import { type Address, formatEther, getAddress, type Hex, isAddress } from "viem";
import { type Clock, systemClock } from "../../core/ports.ts";
import type { PaymentPort } from "../coordinator/ports.ts";
import { installFaults } from "../faults.ts";
import { createLedger, type Ledger, type LedgerRow, REWARDS } from "./ledger.ts";

/** The payment account on the chain; throws NodeError when the chain cannot be used. */
export interface PaymentChainPort {
  /** Sends BLIND of 18 decimals and gives the hash once it is mined. */
  transfer(to: Address, amount: bigint): Promise<Hex>;
  /** What the node has at stake, 18 decimals. */
  stakeOf(node: Address): Promise<bigint>;
  /** How often it was slashed. */
  slashCount(node: Address): Promise<number>;
}

export interface PaymentService extends PaymentPort {
  app: Hono;
}

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

export function createPaymentService(options: { chain: PaymentChainPort; clock?: Clock }): PaymentService {
  const { chain, clock = systemClock } = options;
  const ledger = createLedger();
  const paying = new Set<LedgerRow>();
  const payRow = async (row: LedgerRow) => {
    paying.add(row);
    try {
      row.tx = await chain.transfer(row.node, REWARDS[row.role]);
      row.amount = REWARDS[row.role];
      row.status = "COMPLETED";
      row.completedAtMs = clock.now();
    } finally {
      paying.delete(row);
    }
  };
  return {
    app: createApp(ledger, chain, clock),
    async pay(job) {
      const owed = ledger.enter(job, clock.now()).filter((row) => !paying.has(row));
      const outcomes = await Promise.allSettled(owed.map(payRow));
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed) throw failed.reason;
    },
  };
}

function createApp(ledger: Ledger, chain: PaymentChainPort, clock: Clock): Hono {
  const app = new Hono();
  app.onError(() => Response.json({ detail: "the chain could not be asked" }, { status: 503 }));
  app.notFound(() => Response.json({ detail: "no such route" }, { status: 404 }));
  installFaults(app, clock);
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/v1/nodes/:address/jobs", (c) => {
    const limit = c.req.query("limit") ?? String(LIMIT_DEFAULT);
    if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > LIMIT_MAX) {
      return Response.json({ detail: `limit must be 1…${LIMIT_MAX}` }, { status: 422 });
    }
    return answer(c.req.param("address"), (node) => jobsOf(ledger, node, Number(limit)));
  });
  app.get("/v1/nodes/:address/earnings", (c) => answer(c.req.param("address"), (node) => earningsOf(ledger, node)));
  app.get("/v1/nodes/:address/stats", (c) => answer(c.req.param("address"), (node) => statsOf(ledger, chain, node)));
  return app;
}

async function answer(address: string, work: (node: Address) => object | Promise<object>): Promise<Response> {
  if (!isAddress(address, { strict: false })) return Response.json({ detail: "no such address" }, { status: 400 });
  return Response.json(await work(getAddress(address)));
}

function jobsOf(ledger: Ledger, node: Address, limit: number) {
  const jobs = ledger.of(node).slice(0, limit);
  return {
    node_address: node,
    count: jobs.length,
    jobs: jobs.map(({ jobId, role, status, amount, modelId, completedAtMs, tx }) => ({
      job_id: jobId,
      role,
      status,
      amount_blind_earned: amount === null ? null : toBlind(amount),
      model_id: modelId,
      completed_at: completedAtMs === null ? null : new Date(completedAtMs).toISOString(),
      payout_tx: tx,
    })),
  };
}

function earningsOf(ledger: Ledger, node: Address) {
  const rows = ledger.of(node);
  const paid = rows.filter(({ status }) => status === "COMPLETED");
  return { node_address: node, total_blind_earned: toBlind(totalOf(rows)), jobs_count: paid.length };
}

async function statsOf(ledger: Ledger, chain: PaymentChainPort, node: Address) {
  const rows = ledger.of(node);
  const [stake, slashCount] = await Promise.all([chain.stakeOf(node), chain.slashCount(node)]);
  return {
    total_jobs: rows.length,
    success: rows.filter(({ status }) => status === "COMPLETED").length,
    failed: rows.filter(({ status }) => status === "FAILED").length,
    slashed: slashCount,
    slash_count: slashCount,
    current_stake_blind: toBlind(stake).toFixed(4),
    total_earned_blind: toBlind(totalOf(rows)).toFixed(4),
  };
}

function totalOf(rows: readonly LedgerRow[]): bigint {
  return rows.reduce((sum, { amount }) => sum + (amount ?? 0n), 0n);
}

/** Whole tokens with fractions, as the service sends them. */
function toBlind(amount: bigint): number {
  return Number(formatEther(amount));
}
