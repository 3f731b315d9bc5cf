/**
 * Verifies a hardware envelope for a coordinator: the claims are the ones it expects, the evidence is made over them and
 * over its nonce. The tier is what is proven and no more: whether the root of it is hardware, a caller has to know (`trusts`),
 * and without an answer the tier is 0, since anybody can make up a TPM or a report in software.
 */
import { ok, type Result, refuse } from "../result.ts";
import type { HardwareBackend } from "./attester.ts";
import { type AttestedClaims, reportData, tpmQualifyingData } from "./binding.ts";
import { type Bytes, equal } from "./bytes.ts";
import { decodeEnvelope, type Envelope, type ReportEvidence, type TpmEvidence } from "./envelope.ts";
import { type EvidenceRefusal, malformed } from "./refusal.ts";
import { parseSnpReport, type SnpReport } from "./sev-report.ts";
import { parseTdxQuote, type TdxQuote, verifyTdxSignature } from "./tdx-quote.ts";
import { QUOTED_PCRS, type TpmFacts, verifyTpmQuote } from "./tpm-verify.ts";

/** What the coordinator knows before it looks at the envelope. */
export interface Expectation {
  backend: HardwareBackend;
  chainId: number;
  /** The address that asked for the challenge. */
  node: string;
  /** As on the wire. */
  runtimeHash: string;
  /** `supportedModelIds` of the wire. */
  models: readonly string[];
  /** Of the challenge. */
  nonce: Uint8Array;
}

export type Facts =
  | { backend: "tpm"; claims: AttestedClaims; evidence: TpmEvidence; tpm: TpmFacts }
  | { backend: "sev"; claims: AttestedClaims; evidence: ReportEvidence; sev: SnpReport }
  | { backend: "tdx"; claims: AttestedClaims; evidence: ReportEvidence; tdx: TdxQuote };

/**
 * True when the root of the evidence is known to be hardware. TPM: the endorsement key is a maker's (its certificate) and the
 * attestation key of this name was activated against it. SEV-SNP: a key that AMD certified signed the report.
 * TDX: Intel's collateral vouches for the quoting enclave. And whatever the caller demands of the measurements.
 */
export type HardwareTrust = (facts: Facts) => Promise<boolean>;

export interface Verified {
  tier: 0 | 1 | 2;
  facts: Facts;
}

const TIER: Record<HardwareBackend, 1 | 2> = { tpm: 1, sev: 2, tdx: 2 };

/** @param quote the wire's `quote`, decoded from hex */
export async function verifyEnvelope(
  quote: Uint8Array,
  expected: Expectation,
  trusts: HardwareTrust,
): Promise<Result<Verified, EvidenceRefusal>> {
  let facts: Result<Facts, EvidenceRefusal>;
  try {
    facts = await verifyFacts(decodeEnvelope(quote), expected);
  } catch (error) {
    return refuse(malformed(error));
  }
  if (!facts.ok) return facts;
  const tier = (await trusts(facts.value)) ? TIER[expected.backend] : 0;
  return ok({ tier, facts: facts.value });
}

async function verifyFacts(
  { claims, evidence }: Envelope,
  expected: Expectation,
): Promise<Result<Facts, EvidenceRefusal>> {
  const wrong = refuseClaims(claims, evidence.backend, expected);
  if (wrong !== undefined) return refuse(wrong);
  const data = await reportData(claims, expected.nonce);
  if (evidence.backend === "tpm") {
    const expectation = {
      qualifyingData: await tpmQualifyingData(data),
      pcrs: QUOTED_PCRS,
      runtimeHash: claims.runtimeHash,
    };
    const verified = await verifyTpmQuote(evidence.tpm, expectation);
    return verified.ok ? ok({ backend: "tpm", claims, evidence: evidence.tpm, tpm: verified.value }) : verified;
  }
  return evidence.backend === "sev"
    ? verifySev(claims, evidence.report, data)
    : verifyTdx(claims, evidence.report, data);
}

/** The keys and the GPU are the node's to name; everything else the coordinator knows. */
function refuseClaims(
  claims: AttestedClaims,
  backend: HardwareBackend,
  expected: Expectation,
): EvidenceRefusal | undefined {
  const wrong = [
    backend !== expected.backend && "backend",
    claims.chainId !== expected.chainId && "chain",
    claims.node.toLowerCase() !== expected.node.toLowerCase() && "node",
    claims.runtimeHash !== expected.runtimeHash && "runtime hash",
    !sameTexts(claims.models, expected.models) && "models",
  ].filter((part) => part !== false);
  if (wrong.length === 0) return undefined;
  return { code: "claims", message: `the envelope claims another ${wrong.join(", ")}` };
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, at) => text === b[at]);
}

async function verifySev(
  claims: AttestedClaims,
  evidence: ReportEvidence,
  data: Bytes,
): Promise<Result<Facts, EvidenceRefusal>> {
  const sev = parseSnpReport(evidence.report);
  if (!equal(sev.reportData, data)) return refuse(NOT_BOUND);
  if (sev.debugAllowed) return refuse(DEBUG);
  return ok({ backend: "sev", claims, evidence, sev });
}

async function verifyTdx(
  claims: AttestedClaims,
  evidence: ReportEvidence,
  data: Bytes,
): Promise<Result<Facts, EvidenceRefusal>> {
  const tdx = parseTdxQuote(evidence.report);
  if (!(await verifyTdxSignature(tdx))) {
    return refuse({ code: "signature", message: "the quote's own attestation key did not sign it" });
  }
  if (!equal(tdx.body.reportData, data)) return refuse(NOT_BOUND);
  if (tdx.body.debug) return refuse(DEBUG);
  return ok({ backend: "tdx", claims, evidence, tdx });
}

const NOT_BOUND: EvidenceRefusal = {
  code: "binding",
  message: "the report was not made for this challenge and these claims",
};
const DEBUG: EvidenceRefusal = { code: "debug", message: "the guest may be debugged: its host can read its memory" };
