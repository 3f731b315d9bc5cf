/** Why evidence proves nothing, as a value (house style, "Errors, three kinds"). */
import { MalformedEvidence } from "./bytes.ts";

export type EvidenceRefusalCode =
  /** It does not have the form that it claims. */
  | "malformed"
  /** It says to be another node's, another code's, another chain's or for other models. */
  | "claims"
  /** It was not made for this challenge and these claims. */
  | "binding"
  /** The key is none that only a TPM can use, and only for what a TPM measured. */
  | "key"
  /** The key did not sign it. */
  | "signature"
  /** The quote covers other PCRs than asked for, or other values than stated. */
  | "pcrs"
  /** The event log does not lead to the PCRs. */
  | "event-log"
  /** It comes from a guest whose secrets its host can read, since debugging is allowed. */
  | "debug";

export interface EvidenceRefusal {
  code: EvidenceRefusalCode;
  /** For the node's operator. Holds nothing of the evidence but indices. */
  message: string;
}

/** Throws what is not a MalformedEvidence: that would be a bug. */
export function malformed(error: unknown): EvidenceRefusal {
  if (error instanceof MalformedEvidence) return { code: "malformed", message: error.message };
  throw error;
}
