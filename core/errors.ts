/**
 * The one operational error of the project (house style, "Errors, three kinds"). It says what failed (`code`), whether
 * trying again can help (`retry`), whether the other side may already have acted (`admitted`) and what the operator
 * should do (`hint`). Match on `code`, never on `instanceof`, across a boundary. It never carries plaintext or secrets:
 * messages are made of our own words, host names, status codes and identifiers.
 */

/** Whether repeating the same call can ever succeed. */
export type Retry = "never" | "later";

/** Whether the other side may have acted: `no` is certain, `unknown` is a lost answer. */
export type Admitted = "yes" | "no" | "unknown";

/** Every code, kebab-case and stable: they are stored, shown to operators and documented in the runbook. */
export type ErrorCode =
  // coordinator
  | "icl-unreachable"
  | "icl-unknown-node"
  | "icl-refused"
  | "icl-rate-limited"
  | "icl-malformed"
  // prompt key and output key
  | "key-unavailable"
  | "cofhe-refused"
  | "cofhe-unavailable"
  // prompt
  | "ipfs-unavailable"
  | "ipfs-mismatch"
  | "prompt-unreadable"
  // answer
  | "model"
  | "model-key"
  | "model-rate-limited"
  | "model-unavailable"
  | "model-refused"
  | "pin-refused"
  | "pin-unavailable"
  // chain
  | "rpc-unavailable"
  | "transaction-reverted"
  | "transaction-refused"
  | "insufficient-funds"
  | "gas-price"
  | "signing-refused"
  | "action-refused"
  // the job itself
  | "deadline"
  | "leader-absent"
  | "claim-refused"
  | "claim-lost"
  | "submission-refused"
  | "guard-refused"
  | "withdrawn"
  // sidecar
  | "sidecar-unreachable"
  | "sidecar-refused"
  | "sidecar-busy"
  | "sidecar-malformed"
  // money
  | "payment-unavailable"
  // storage and set-up
  | "storage-key"
  | "history-unavailable"
  | "settings"
  | "attestation-refused"
  | "internal";

export interface NodeErrorInit {
  retry: Retry;
  admitted?: Admitted;
  /** One sentence that tells the operator what to do. */
  hint: string;
  /** Do not try again before this many milliseconds (Retry-After). */
  retryAfterMs?: number;
  cause?: unknown;
}

export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly admitted: Admitted;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, init: NodeErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.retry = init.retry;
    this.admitted = init.admitted ?? "no";
    this.hint = init.hint;
    this.retryAfterMs = init.retryAfterMs;
  }
}

/** A NodeError as plain data, for storage, object calls and HTTP. */
export interface Failure {
  code: ErrorCode;
  message: string;
  hint: string;
  retry: Retry;
  admitted: Admitted;
  retryAfterMs?: number;
}

/**
 * The one exhaustive mapping from anything thrown to plain data. An error that is not ours becomes `internal` with its
 * class name only, because foreign messages may carry plaintext (the CoFHE SDK's do).
 */
export function toFailure(error: unknown): Failure {
  if (error instanceof NodeError) {
    return {
      code: error.code,
      message: error.message,
      hint: error.hint,
      retry: error.retry,
      admitted: error.admitted,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    };
  }
  const given = error instanceof Error ? error.name : typeof error;
  // A foreign error names itself: only a name that looks like one is repeated.
  const name = /^\w{1,60}$/.test(given) ? given : "error";
  return {
    code: "internal",
    message: `an unexpected ${name} occurred`,
    hint: "This is a bug in the node: report it with the log lines around it.",
    retry: "later",
    admitted: "unknown",
  };
}
