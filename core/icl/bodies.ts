/**
 * What the node sends to the coordinator: exactly the wire's fields in the wire's order (protocol §1), whatever else the
 * caller's object holds. Refuses what would break a quorum: a commitment not in 64 lowercase hex digits, a confidence that
 * is no integer.
 */
import { NodeError } from "../errors.ts";
import type { EncryptedInput, LeaderResult, VerifierVerdict } from "./schema.ts";

/** What a node shows in `attestation/verify`. */
export interface AttestationEvidence {
  backendType: "mock" | "tpm" | "sev" | "tdx";
  /** Hex, no 0x. */
  quote: string;
  /** Hex, no 0x. */
  runtimeHash: string;
  challengeId: string;
  supportedModelIds?: readonly string[];
}

type Body = Record<string, unknown>;

export function attestationBody(nodeAddress: string, evidence: AttestationEvidence): Body {
  const { backendType, quote, runtimeHash, challengeId, supportedModelIds } = evidence;
  return present({ nodeAddress, backendType, quote, runtimeHash, challengeId, supportedModelIds });
}

/** Throws NodeError `internal` on a malformed commitment. */
export function resultBody(result: LeaderResult): Body {
  const inputs = result.encrypted_output_key_inputs;
  return present({
    jobId: result.jobId,
    output_cid: result.output_cid,
    commitment_hash: wellFormed(result.commitment_hash),
    encrypted_output_key_high: result.encrypted_output_key_high,
    encrypted_output_key_low: result.encrypted_output_key_low,
    encrypted_output_key_inputs:
      inputs === undefined ? undefined : { high: inputBody(inputs.high), low: inputBody(inputs.low) },
    output_key_store_tx: result.output_key_store_tx,
    output_key_store_job_id: result.output_key_store_job_id,
  });
}

/** Throws NodeError `internal` on a malformed commitment or confidence. */
export function verdictBody(verdict: VerifierVerdict): Body {
  const { jobId, verifier_address, commitment_hash, verdict: word, confidence } = verdict;
  if (!Number.isInteger(confidence) || confidence < 0 || confidence > 100)
    throw bug("a confidence is an integer 0…100");
  return { jobId, verifier_address, commitment_hash: wellFormed(commitment_hash), verdict: word, confidence };
}

/** A job id, which is opaque, as one segment of a path. Throws NodeError `icl-malformed` where no URL can hold it. */
export function pathSegment(jobId: string): string {
  // URLs resolve dot segments, encoded ones too: such an id would ask for another path.
  if (jobId === "" || jobId === "." || jobId === ".." || !jobId.isWellFormed()) {
    throw new NodeError("icl-malformed", "the coordinator gave a job id that no URL can hold", {
      retry: "never",
      hint: "Report it to the coordinator's operator. Nothing to do on this node.",
    });
  }
  return encodeURIComponent(jobId);
}

function inputBody({ ctHash, securityZone, utype, signature }: EncryptedInput): Body {
  return { ctHash, securityZone, utype, signature };
}

/** Optional members that are absent are left out, not sent as null. */
function present(body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function wellFormed(commitment: string): string {
  if (!/^[0-9a-f]{64}$/.test(commitment)) throw bug("a commitment has 64 lowercase hex digits and no 0x");
  return commitment;
}

function bug(message: string): NodeError {
  return new NodeError("internal", message, {
    retry: "never",
    hint: "This is a bug in the node: report it with the job's id.",
  });
}
