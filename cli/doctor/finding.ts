/**
 * What a check found: one line for people, one object for scripts. Invariant: whatever is not ok says what to do about it,
 * and errors are told in our own words only, never in a service's.
 */
import { toFailure } from "../../core/errors.ts";
import { TransportError } from "../../core/http.ts";
import { CliError } from "../errors.ts";

export type Status = "ok" | "warning" | "failure";

export interface Finding {
  /** Which part was looked at; several findings may be of one part. */
  check: string;
  status: Status;
  /** What is so; a sentence without a full stop. */
  detail: string;
  /** What to do; null only where there is nothing to do. */
  fix: string | null;
}

export const fine = (check: string, detail: string): Finding => ({ check, status: "ok", detail, fix: null });

export const warning = (check: string, detail: string, fix: string): Finding => ({
  check,
  status: "warning",
  detail,
  fix,
});

export const failure = (check: string, detail: string, fix: string): Finding => ({
  check,
  status: "failure",
  detail,
  fix,
});

/** A check that could not do its work. */
export function failed(check: string, error: unknown, fix?: string): Finding {
  if (error instanceof CliError) return failure(check, bare(error.message), fix ?? error.fix ?? "See --help.");
  if (error instanceof TransportError) {
    return failure(check, error.detail, fix ?? "Check the address, and this machine's network.");
  }
  const { message, hint } = toFailure(error);
  return failure(check, message, fix ?? hint);
}

function bare(sentence: string): string {
  return sentence.replace(/\.$/, "");
}
