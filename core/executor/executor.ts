/**
 * The executor's interface: the confidential part of a job. It opens the prompt key, fetches and opens the prompt,
 * infers, digests and seals. One interface, one implementation (`edge-executor.ts`), two hosts: the Worker or the
 * sidecar. Invariant: plaintext exists only inside an executor's memory; nothing it returns or throws contains any.
 */
import type { EncryptedInput, Role } from "../icl/schema.ts";

/** Raised whenever a field changes its meaning; a host answers a version it does not speak with a refusal. */
export const EXECUTOR_VERSION = 1;

export interface ExecuteRequest {
  version: typeof EXECUTOR_VERSION;
  /** EIP-55 address of the node the job was assigned to. */
  node: string;
  jobId: string;
  role: Role;
  modelId: string;
  promptCid: string;
  /** uint256 ciphertext handles of the prompt key's halves. */
  keyHandles: { high: bigint; low: bigint };
  /** Leader only: the wrapped 32-byte output key made by `newOutputKey`; the answer is sealed with it. */
  outputKey?: string;
}

export interface ExecuteResult {
  version: typeof EXECUTOR_VERSION;
  /** SHA-256 of the normalised answer, 64 lowercase hex digits: all that a commitment needs besides the CID. */
  answerDigest: string;
  /** Leader only: `iv ‖ tag ‖ ciphertext` of the answer under the output key. */
  sealedAnswer?: Uint8Array<ArrayBuffer>;
  /** Milliseconds by step: `key`, `prompt`, `infer`. */
  timingsMs: Record<string, number>;
}

/** CoFHE inputs that make an output key readable on chain. They may be stored: they are ciphertext references. */
export interface EncryptedOutputKey {
  high: EncryptedInput;
  low: EncryptedInput;
}

export interface Executor {
  /** Runs a job's confidential part. Safe to repeat. Throws NodeError. */
  execute(request: ExecuteRequest, signal?: AbortSignal): Promise<ExecuteResult>;
  /** A fresh 32-byte output key, wrapped for storage and bound to this node and job. */
  newOutputKey(node: string, jobId: string): Promise<string>;
  /** CoFHE-encrypts a wrapped output key's halves for the node's own account (protocol §3). Safe to repeat. */
  encryptOutputKey(node: string, jobId: string, outputKey: string): Promise<EncryptedOutputKey>;
}
