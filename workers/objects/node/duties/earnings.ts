/** What the payment service says this node earned (protocol §9): totals for the status, a row a job for the history. */
import { fetchEarnings, fetchPaidJobs } from "../../../../core/payment/client.ts";
import { platformFetch } from "../../../wiring.ts";
import type { NodeContext } from "../context.ts";

export async function earningsDuty(context: NodeContext): Promise<void> {
  const { kit, signer, store, outbox } = context;
  const service = { endpoint: kit.settings.paymentServiceUrl, fetch: platformFetch, clock: kit.clock };
  const [total, jobs] = await Promise.all([
    fetchEarnings(service, signer.address),
    fetchPaidJobs(service, signer.address),
  ]);
  const nowMs = kit.clock.now();
  const before = store.get("earnings");
  store.set("earnings", { atMs: nowMs, totalBlind: total.totalBlind, jobsCount: total.jobsCount });
  // Nothing new was paid: the rows are written already.
  if (before?.jobsCount === total.jobsCount && before.totalBlind === total.totalBlind) return;
  for (const job of jobs) {
    outbox.put(`earning/${job.jobId}`, {
      kind: "earning",
      row: {
        node: signer.address,
        jobId: job.jobId,
        role: job.role,
        status: job.status,
        amountBlind: job.amountBlind,
        completedAt: job.completedAt,
        seenAt: nowMs,
      },
    });
  }
}
