/** Why this machine cannot attest, as an operator can act on it: what was looked for, and how to enable it. */
import { NodeError, type Retry } from "../../core/errors.ts";

/**
 * @param message what was looked for and what was found instead
 * @param hint how to enable it
 * @param retry `later` where the machine may answer the next time
 */
export function attestationFault(message: string, hint: string, retry: Retry = "never", cause?: unknown): NodeError {
  return new NodeError("settings", `attestation: ${message}`, {
    retry,
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The code of a system call that failed, such as `ENOENT`; undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}
