/**
 * A job as its user sees it (protocol §10). What was decided shows only once the chain has recorded it, and one may be
 * told to go on seeing QUEUED for a job that timed out, as on the network.
 */
import { equalHashes } from "./consensus.ts";
import { type Job, votes } from "./job.ts";
import type { CoordinatorSettings } from "./settings.ts";

export type StatusText = "QUEUED" | "ACCEPTED" | "REJECTED" | "TIMEDOUT";

const TEXTS = { accepted: "ACCEPTED", rejected: "REJECTED", timedout: "TIMEDOUT" } as const;

export function statusText(job: Job, settings: Pick<CoordinatorSettings, "queuedForever">): StatusText {
  if (!job.published || job.outcome === null) return "QUEUED";
  return job.outcome === "timedout" && settings.queuedForever ? "QUEUED" : TEXTS[job.outcome];
}

/** `GET /v1/inference/{job_id}`. */
export function publicJob(job: Job, settings: Pick<CoordinatorSettings, "queuedForever">) {
  const [leader, ...verifiers] = job.members;
  return {
    job_id: job.id,
    task_id: job.taskId,
    status: statusText(job, settings),
    model_id: job.modelId,
    leader_address: leader?.node,
    verifier_addresses: verifiers.map(({ node }) => node),
    output_cid: job.output?.cid ?? null,
    encrypted_output_key_high: job.output?.keyHandles.high ?? null,
    encrypted_output_key_low: job.output?.keyHandles.low ?? null,
    output_key_store_tx: job.output?.storeTx ?? null,
    commitment_hash: leader?.commitment?.hash ?? null,
    /** The leader counts: how many nodes have its hash. */
    confirmations: equalHashes(votes(job)),
    commitments: job.members.flatMap(({ node, role, commitment }) =>
      commitment === null
        ? []
        : [{ node_address: node, role, commitment_hash: commitment.hash, verdict: commitment.verdict ?? null }],
    ),
    result_tx: job.resultTx,
    created_at: new Date(job.createdAtMs).toISOString(),
    finalized_at: job.published && job.decidedAtMs !== null ? new Date(job.decidedAtMs).toISOString() : null,
  };
}
