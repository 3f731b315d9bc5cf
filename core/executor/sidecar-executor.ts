/**
 * The executor where the work is done on the sidecar: start, then ask how far it is. Nothing is held here: whoever was
 * evicted in between starts again and finds the same execution, because the sidecar knows it by node, job and role.
 * Invariant: what passes here is ciphertext, a digest and timings.
 */
import { NodeError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { SidecarClient } from "../sidecar/client.ts";
import { fromWire } from "../sidecar/failure-wire.ts";
import type { ExecutionId, ExecutionState } from "../sidecar/wire.ts";
import type { EncryptedOutputKey, ExecuteRequest, ExecuteResult, Executor } from "./executor.ts";

/** Waits grow with the time that has passed: a long inference is not asked about hundreds of times. */
const WAIT = { leastMs: 300, mostMs: 15_000, share: 0.2 };
/** A proof takes seconds (protocol §3); one that takes longer is asked for again by the job. */
const PROOF_PATIENCE_MS = 60_000;

export interface SidecarExecutorParts {
  client: Pick<SidecarClient, "startExecution" | "pollExecution" | "cancelExecution" | "outputKey">;
  clock: Clock;
}

export function createSidecarExecutor({ client, clock }: SidecarExecutorParts): Executor {
  return {
    execute: (request, signal) => execute({ client, clock }, request, signal),
    async newOutputKey(node, jobId) {
      return (await client.outputKey({ node, jobId })).outputKey;
    },
    async encryptOutputKey(node, jobId, outputKey): Promise<EncryptedOutputKey> {
      const startedMs = clock.now();
      for (;;) {
        const reply = await client.outputKey({ node, jobId, outputKey });
        if (reply.state === "ready") return reply.encrypted;
        if (clock.now() - startedMs > PROOF_PATIENCE_MS) throw stillProving();
        await clock.sleep(waitMs(clock.now() - startedMs));
      }
    },
  };
}

async function execute(
  { client, clock }: SidecarExecutorParts,
  request: ExecuteRequest,
  signal?: AbortSignal,
): Promise<ExecuteResult> {
  const { node, jobId, role } = request;
  const id: ExecutionId = { node, jobId, role };
  const startedMs = clock.now();
  let attempt = 1;
  try {
    let state: ExecutionState = await client.startExecution(request, attempt, signal);
    for (;;) {
      if (state.state === "done") return believable(state.result, request);
      if (state.state === "failed") throw fromWire(state.error);
      if (state.state === "running") await clock.sleep(waitMs(clock.now() - startedMs), signal);
      state =
        state.state === "unknown"
          ? await client.startExecution(request, ++attempt, signal)
          : await client.pollExecution(id, signal);
    }
  } catch (error) {
    // Called off: the job is over, and the GPU is wanted by others. That it is said is a kindness, not a duty.
    if (signal?.aborted) await client.cancelExecution(id).catch(() => undefined);
    throw error;
  }
}

/** A result must be what the role needs: a leader without an answer has nothing to pin. */
function believable(result: ExecuteResult, { role }: ExecuteRequest): ExecuteResult {
  if ((result.sealedAnswer !== undefined) === (role === "leader")) return result;
  throw new NodeError("sidecar-malformed", `the sidecar's result is not a ${role}'s`, {
    retry: "never",
    hint: "Bring the Worker and the sidecar to the same version.",
  });
}

function waitMs(elapsedMs: number): number {
  return Math.min(WAIT.mostMs, Math.max(WAIT.leastMs, elapsedMs * WAIT.share));
}

function stillProving(): NodeError {
  return new NodeError("sidecar-busy", "the output key is still being proven", {
    retry: "later",
    hint: "Fill the sidecar's key pool ahead of time (BLF_KEY_POOL_SIZE), or give it more processor time.",
  });
}
