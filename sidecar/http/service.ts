/**
 * What the HTTP side needs from the sidecar itself. It is handed requests that are authenticated, parsed and about the
 * node and job that their headers name; it throws NodeErrors, which travel to the Worker as they are. A full queue is
 * `sidecar-busy` with `retryAfterMs`. `sign` stands its policies before the key, whoever asks: a request's signature
 * shows that the Worker sent it, and in sidecar mode the Worker may not decrypt.
 */
import type { ExecuteRequest } from "../../core/executor/executor.ts";
import type { SignReply, SignRequest } from "../../core/sidecar/sign-wire.ts";
import type {
  AttestReply,
  AttestRequest,
  Capabilities,
  ExecutionId,
  ExecutionState,
  OutputKeyRequest,
  OutputKeyState,
  StartedExecution,
} from "../../core/sidecar/wire.ts";

export interface SidecarService {
  capabilities(): Promise<Capabilities>;
  /** Returns at once. Idempotent by node, job and role, also after a restart. `attempt` is for the log. */
  startExecution(request: ExecuteRequest, attempt: number | undefined): Promise<StartedExecution>;
  pollExecution(id: ExecutionId): Promise<ExecutionState>;
  /** False where nothing was queued or running. */
  cancelExecution(id: ExecutionId): Promise<boolean>;
  /** Without a key in the request: the same one however often it is asked for. */
  outputKey(request: OutputKeyRequest): Promise<OutputKeyState>;
  attest(request: AttestRequest): Promise<AttestReply>;
  sign(request: SignRequest): Promise<SignReply>;
  /** Prometheus' text format. */
  metrics(): Promise<string>;
}
