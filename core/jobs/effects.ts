/**
 * The effects of a job: what each one asks of the world, and which event its answer becomes. Every effect may run
 * twice; none decides anything that the machine should. A commitment reaches the coordinator only after the guard has
 * recorded it.
 */
import { commitmentFromDigest } from "../crypto/commitment.ts";
import { outputKeyStoreJobId } from "../crypto/output-key-id.ts";
import { type Failure, NodeError, toFailure } from "../errors.ts";
import { type EncryptedOutputKey, EXECUTOR_VERSION, type Executor } from "../executor/executor.ts";
import type { IclClient } from "../icl/client.ts";
import type { ClaimReply, JobStatus, LeaderResult, Role } from "../icl/schema.ts";
import type { Pinner } from "../ipfs/pin.ts";
import type { Clock } from "../ports.ts";
import type { Result } from "../result.ts";
import type { EffectResult, PerformEffect } from "./driver.ts";
import type { Job, Outcome, Verdict } from "./job.ts";
import type { JobEvent } from "./machine.ts";

/** Waits (0.5 s doubling) for a leader's commitment that is missing beside its CID, before going on without it. */
const COMMITMENT_PATIENCE = 6;

/** Where the leader's sealed answer waits between inference and pinning: ciphertext only. */
export interface SealedAnswers {
  saveSealed(bytes: Uint8Array<ArrayBuffer>): void;
  loadSealed(): Uint8Array<ArrayBuffer> | null;
}

/** One commitment per (node, job): checked and recorded in one transaction. */
export interface CommitGuard {
  record(entry: { jobId: string; role: Role; commitment: string; outputCid: string }): Promise<Result<null, string>>;
}

/** The account's transactions, one after another. `pending` means: ask again later. */
export interface AccountPort {
  storeOutputKey(
    jobId: string,
    userAddress: string,
    key: EncryptedOutputKey,
  ): Promise<{ state: "confirmed"; hash: string } | { state: "pending" }>;
  /** Whether the chain has that transaction still. One that a reorganisation dropped is on its way out again. */
  outputKeyStands(jobId: string): Promise<boolean>;
}

export interface EffectPorts {
  icl: IclClient;
  executor: Executor;
  pinner: Pinner | null;
  answers: SealedAnswers;
  guard: CommitGuard;
  account: AccountPort;
  clock: Clock;
  /** `BLF_SKIP_OUTPUT_KEY_STORAGE`: only the handles are submitted. */
  skipOutputKeyStorage: boolean;
  /** Saves that a claim is about to leave, before it does. */
  recordClaimSent(): void;
  /** Told of every failure of an effect, so that the node can stop claiming before the next job meets it. Must not throw. */
  onFailure(failure: Failure): void;
}

export function createEffects(ports: EffectPorts): PerformEffect {
  return async (kind, job, signal) => {
    try {
      return await perform(ports, kind, job, signal);
    } catch (error) {
      // An effect that was called off says nothing about what it asked.
      if (!signal.aborted) ports.onFailure(toFailure(error));
      throw error;
    }
  };
}

function perform(ports: EffectPorts, kind: Parameters<PerformEffect>[0], job: Job, signal: AbortSignal) {
  switch (kind) {
    case "claim":
      return claim(ports, job);
    case "execute":
      return execute(ports, job, signal);
    case "encrypt-key":
      return encryptKey(ports, job);
    case "find-leader":
      return findLeader(ports, job);
    case "pin":
      return pin(ports, job);
    case "commit":
      return commit(ports, job);
    case "grant":
      return grant(ports, job);
    case "submit":
      return submit(ports, job);
    case "follow":
      return follow(ports, job);
  }
}

async function claim(ports: EffectPorts, job: Job): Promise<EffectResult> {
  let sentAtMs = ports.clock.now();
  const onLeaving = () => {
    sentAtMs = ports.clock.now();
    ports.recordClaimSent();
  };
  let taken: Omit<Extract<JobEvent, { type: "claimed" }>, "type" | "outputKey">;
  try {
    taken = { ...takenBy(await ports.icl.claim(job.jobId, onLeaving), ports.icl.clockCorrectionMs()), sentAtMs };
  } catch (error) {
    if (!(error instanceof NodeError) || error.code !== "icl-refused") throw error;
    taken = takenBefore(job, error);
  }
  const outputKey = job.role === "leader" ? await ports.executor.newOutputKey(job.node, job.jobId) : null;
  return { event: { type: "claimed", ...taken, outputKey } };
}

function takenBy({ kpHighHandle, kpLowHandle, claimDeadline }: ClaimReply, clockCorrectionMs: number) {
  const keyHandles = { high: String(kpHighHandle), low: String(kpLowHandle) };
  // Deadlines are the coordinator's time; the job's are ours.
  const correctionSec = Math.round(clockCorrectionMs / 1000);
  return claimDeadline === undefined ? { keyHandles } : { keyHandles, claimDeadlineSec: claimDeadline - correctionSec };
}

/**
 * A claim is refused. Where it is the first, nothing was taken on. Where an earlier one's answer was lost, that one may
 * have been taken, and silence would cost stake: the job goes on with the offer's handles in what is left of its window.
 */
function takenBefore(job: Job, refusal: NodeError) {
  if (job.claimSentAtMs === null) {
    throw new NodeError("claim-refused", refusal.message, {
      retry: "never",
      hint: "The coordinator gave the job to other nodes or closed it. Nothing is owed for it.",
    });
  }
  if (job.offeredHandles === null) {
    throw new NodeError("claim-lost", `${refusal.message}; an earlier claim may have been taken`, {
      retry: "never",
      hint: "The first claim's answer was lost, and the offer held no key handles to go on with. The coordinator may count the job against this node.",
    });
  }
  return { keyHandles: job.offeredHandles, sentAtMs: job.claimSentAtMs };
}

async function execute(ports: EffectPorts, job: Job, signal: AbortSignal): Promise<EffectResult> {
  const handles = held(job.keyHandles, "key handles");
  const result = await ports.executor.execute(
    {
      version: EXECUTOR_VERSION,
      node: job.node,
      jobId: job.jobId,
      role: job.role,
      modelId: job.modelId,
      promptCid: job.promptCid,
      keyHandles: { high: BigInt(handles.high), low: BigInt(handles.low) },
      ...(job.outputKey === null ? {} : { outputKey: job.outputKey }),
    },
    signal,
  );
  const { sealedAnswer } = result;
  const event = { type: "executed", answerDigest: result.answerDigest, timingsMs: result.timingsMs } as const;
  return sealedAnswer === undefined ? { event } : { event, alongside: () => ports.answers.saveSealed(sealedAnswer) };
}

async function encryptKey(ports: EffectPorts, job: Job): Promise<EffectResult> {
  const outputKey = held(job.outputKey, "output key");
  return {
    event: {
      type: "key-encrypted",
      encryptedKey: await ports.executor.encryptOutputKey(job.node, job.jobId, outputKey),
    },
  };
}

async function findLeader(ports: EffectPorts, job: Job): Promise<EffectResult> {
  const status = await ports.icl.jobStatus(job.jobId);
  const { outputCid, leaderCommitment } = status;
  const patience = job.work["find-leader"]?.waits ?? 0;
  if (outputCid !== null && (leaderCommitment !== null || patience >= COMMITMENT_PATIENCE)) {
    return { event: { type: "leader-found", outputCid, leaderCommitment } };
  }
  return finalizedOr(status, { type: "wait", effect: "find-leader" });
}

async function pin(ports: EffectPorts, job: Job): Promise<EffectResult> {
  if (ports.pinner === null) {
    throw new NodeError("pin-refused", "no pinning service is configured", {
      retry: "never",
      hint: "Set PINATA_JWT, or serve as a verifier only with BLF_ROLES=verifier.",
    });
  }
  const sealed = held(ports.answers.loadSealed(), "sealed answer");
  const { cid } = await ports.pinner.pin(
    sealed,
    `blindference-output-${job.jobId.slice(0, 18).replace(/[^\w-]/g, "_")}`,
  );
  return { event: { type: "pinned", outputCid: cid } };
}

async function commit(ports: EffectPorts, job: Job): Promise<EffectResult> {
  const outputCid = held(job.outputCid, "output CID");
  const commitment = await commitmentFromDigest(outputCid, held(job.answerDigest, "answer digest"));
  const recorded = await ports.guard.record({ jobId: job.jobId, role: job.role, commitment, outputCid });
  if (!recorded.ok) {
    throw new NodeError("guard-refused", recorded.refusal, {
      retry: "never",
      hint: "This node already committed to another answer for this job. It will not commit twice.",
    });
  }
  const verdict = job.role === "verifier" ? verdictOn(commitment, job.leaderCommitment) : null;
  return { event: { type: "committed", commitment, verdict } };
}

/** Protocol §4: compare with the leader's commitment; where it is absent there is nothing to contradict ours. */
function verdictOn(ours: string, leaders: string | null): Verdict {
  return leaders === null || sameHash(leaders, ours) ? "CONFIRM" : "REJECT";
}

/** Whether the coordinator's spelling of a hash is ours. */
function sameHash(theirs: string | null, ours: string | null): boolean {
  return theirs !== null && theirs.replace(/^0x/i, "").toLowerCase() === ours;
}

async function grant(ports: EffectPorts, job: Job): Promise<EffectResult> {
  if (ports.skipOutputKeyStorage) return { event: { type: "granted", tx: null } };
  const key = held(job.encryptedKey, "encrypted output key");
  const sent = await ports.account.storeOutputKey(job.jobId, job.userAddress, key);
  if (sent.state === "pending") return { event: { type: "wait", effect: "grant" } };
  return { event: { type: "granted", tx: sent.hash } };
}

async function submit(ports: EffectPorts, job: Job): Promise<EffectResult> {
  try {
    if (job.role === "leader") await ports.icl.submitResult(leaderResult(job));
    else {
      await ports.icl.submitVerdict({
        jobId: job.jobId,
        verifier_address: job.node,
        commitment_hash: held(job.commitment, "commitment"),
        verdict: held(job.verdict, "verdict"),
        // Equality of two hashes is certain; without the leader's there was nothing to compare with.
        confidence: job.leaderCommitment === null ? 0 : 100,
      });
    }
    return { event: { type: "submitted" } };
  } catch (error) {
    const refused = error instanceof NodeError && error.code === "icl-refused";
    const maybeTaken = error instanceof NodeError && error.admitted === "unknown";
    if (!refused && !maybeTaken) throw error;
    // A job that ended before our word arrived is settled, not failed; and a word whose answer was lost may be on record.
    const status = await ports.icl.jobStatus(job.jobId).catch(() => null);
    const outcome = status === null ? null : outcomeOf(status);
    if (outcome !== null) return { event: { type: "finalized", outcome } };
    if (status !== null && job.role === "leader" && sameHash(status.leaderCommitment, job.commitment)) {
      return { event: { type: "submitted" } };
    }
    if (!refused) throw error;
    if (job.grantTx !== null && !(await ports.account.outputKeyStands(job.jobId))) throw droppedKey(error);
    throw new NodeError("submission-refused", error.message, { retry: "never", hint: error.hint, cause: error });
  }
}

/** The coordinator looks for the key's transaction: a refusal for want of it is no final word. */
function droppedKey(cause: NodeError): NodeError {
  return new NodeError("transaction-refused", "the chain dropped the block with the output key's transaction", {
    retry: "later",
    hint: "The same transaction is sent again, and the result after it. Nothing to do.",
    cause,
  });
}

function leaderResult(job: Job): LeaderResult {
  const key = held(job.encryptedKey, "encrypted output key");
  return {
    jobId: job.jobId,
    output_cid: held(job.outputCid, "output CID"),
    commitment_hash: held(job.commitment, "commitment"),
    encrypted_output_key_high: key.high.ctHash,
    encrypted_output_key_low: key.low.ctHash,
    encrypted_output_key_inputs: { high: key.high, low: key.low },
    ...(job.grantTx === null
      ? {}
      : { output_key_store_tx: job.grantTx, output_key_store_job_id: outputKeyStoreJobId(job.jobId) }),
  };
}

async function follow(ports: EffectPorts, job: Job): Promise<EffectResult> {
  return finalizedOr(await ports.icl.jobStatus(job.jobId), { type: "wait", effect: "follow" });
}

function finalizedOr(status: JobStatus, otherwise: EffectResult["event"]): EffectResult {
  const outcome = outcomeOf(status);
  return { event: outcome === null ? otherwise : { type: "finalized", outcome } };
}

/** The coordinator's final states (protocol §1); everything else means: not yet. */
export function outcomeOf(status: JobStatus): Outcome | null {
  switch (status.status) {
    case "ACCEPTED":
    case "COMPLETED":
      return "accepted";
    case "REJECTED":
      return "rejected";
    case "DISPUTED":
      return "disputed";
    case "TIMEDOUT":
    case "TIMED_OUT":
      return "timedout";
    default:
      return null;
  }
}

/** A field the state promises. Absent, it is a bug: the machine entered a state without its data. */
function held<T>(value: T | null, what: string): T {
  if (value === null) {
    throw new NodeError("internal", `the job's record lacks its ${what}`, {
      retry: "never",
      hint: "This is a bug in the node: report it with the job's id.",
    });
  }
  return value;
}
