/**
 * What the payment service says this node earned (protocol §9): totals for the status, a row a job for the history.
 * Invariant: an answer that says nothing new writes nothing, and what is older than the history goes back is left out.
 */
import { fetchEarnings, fetchPaidJobs, type PaidJob } from "../../../../core/payment/client.ts";
import type { Clock } from "../../../../core/ports.ts";
import type { Settings } from "../../../../core/settings/settings.ts";
import { platformFetch } from "../../../wiring.ts";
import type { NodeContext } from "../context.ts";

const DAY_MS = 86_400_000;
/** How old the date of figures that have not changed may grow before it is written anew. */
const DATE_EVERY_MS = DAY_MS / 4;

/** What the duty needs of a node. */
export interface EarningsContext extends Pick<NodeContext, "store" | "outbox"> {
  signer: Pick<NodeContext["signer"], "address">;
  kit: {
    clock: Clock;
    settings: Pick<Settings, "paymentServiceUrl"> & { retention: Pick<Settings["retention"], "historyDays"> };
  };
}

export async function earningsDuty(context: EarningsContext): Promise<void> {
  const { kit, signer, store } = context;
  const service = { endpoint: kit.settings.paymentServiceUrl, fetch: platformFetch, clock: kit.clock };
  const [total, jobs] = await Promise.all([
    fetchEarnings(service, signer.address),
    fetchPaidJobs(service, signer.address),
  ]);
  const nowMs = kit.clock.now();
  const before = store.get("earnings");
  const isKnown = before?.jobsCount === total.jobsCount && before.totalBlind === total.totalBlind;
  if (!isKnown || nowMs - before.atMs >= DATE_EVERY_MS) {
    store.set("earnings", { atMs: nowMs, totalBlind: total.totalBlind, jobsCount: total.jobsCount });
  }
  keep(context, jobs, nowMs);
}

/** Hands on the rows that are not as they were the last time. */
function keep({ kit, signer, store, outbox }: EarningsContext, jobs: readonly PaidJob[], nowMs: number): void {
  const oldestMs = nowMs - kit.settings.retention.historyDays * DAY_MS;
  const before = store.get("paidJobs") ?? [];
  const seen = new Map(before);
  const listed = new Map<string, string>();
  for (const job of jobs) {
    if (endedAtMs(job.completedAt) < oldestMs) continue;
    const says = JSON.stringify([job.role, job.status, job.amountBlind, job.completedAt]);
    listed.set(job.jobId, says);
    if (seen.get(job.jobId) === says) continue;
    const { jobId, role, status, amountBlind, completedAt } = job;
    outbox.put(`earning/${jobId}`, {
      kind: "earning",
      row: { node: signer.address, jobId, role, status, amountBlind, completedAt, seenAt: nowMs },
    });
  }
  // Only what is still listed is remembered: a page of it, which is all that the service gives.
  const now = [...listed];
  if (JSON.stringify(now) !== JSON.stringify(before)) store.set("paidJobs", now);
}

/** A date, or Unix seconds; what is not over, or has no date that can be read, is never old. */
function endedAtMs(completedAt: string | null): number {
  if (completedAt === null) return Number.POSITIVE_INFINITY;
  const atMs = /^\d+(\.\d+)?$/.test(completedAt) ? Number(completedAt) * 1000 : Date.parse(completedAt);
  return Number.isNaN(atMs) ? Number.POSITIVE_INFINITY : atMs;
}
