/** An error whose message is meant for the operator: what happened, why, what to do. */
import type { NodeError } from "../core/errors.ts";
import type { ExitReason } from "./exit-codes.ts";

export interface CliErrorOptions {
  /** What to do about it; one sentence or a command. */
  fix?: string;
  /** Default: `failed`. */
  exit?: ExitReason;
  cause?: unknown;
}

export class CliError extends Error {
  override readonly name = "CliError";
  readonly fix: string | null;
  readonly exit: ExitReason;

  constructor(message: string, { fix, exit = "failed", cause }: CliErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.fix = fix ?? null;
    this.exit = exit;
  }
}

/** A wrong command line, file or setting: nothing was done. */
export function usageError(message: string, fix?: string): CliError {
  return new CliError(message, { exit: "usage", ...(fix === undefined ? {} : { fix }) });
}

/** Ctrl-C at a question: whatever was asked, nothing has been done by then. */
export function stopped(): CliError {
  return new CliError("Stopped. Nothing was done.", { exit: "interrupted" });
}

/** What the system calls an error: `ENOENT`; undefined where it is none of the system's. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What a part of the node could not do, as the operator reads it. */
export function nodeFailure(error: NodeError): CliError {
  const exit = error.code === "settings" ? "usage" : error.retry === "later" ? "unreachable" : "failed";
  return new CliError(`${error.message}.`, { fix: error.hint, exit, cause: error });
}
