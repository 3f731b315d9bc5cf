/**
 * Verifies a TPM 2.0 quote with WebCrypto alone. It proves: whoever holds the attestation key signed these PCR values for
 * this challenge, and says that its key is a restricted one under this endorsement key. It does not prove that the key
 * is in a TPM: that takes credential activation (tpm-credential.ts) and trust in the endorsement key.
 * Invariant: every bit of quote, signature, both keys and PCR values is covered; changing one is refused.
 */
import { sha256 } from "../crypto/sha256.ts";
import { ok, type Result, refuse } from "../result.ts";
import { type Bytes, concat, equal } from "./bytes.ts";
import type { TpmEvidence } from "./envelope.ts";
import { type EvidenceRefusal, malformed } from "./refusal.ts";
import { type ReplayedLog, replayEventLog } from "./tpm-event-log.ts";
import {
  ATTRIBUTE,
  nameOf,
  parseAttest,
  parsePublic,
  parseSignature,
  type Quote,
  qualifiedNameUnder,
  type Signature,
  type TpmPublic,
} from "./tpm-structures.ts";

/** The PCRs that firmware and boot loader fill: their event log leads to them. */
export const BOOT_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];
/** Free for applications (TCG PC Client profile); holds what the sidecar measured of itself (docs/design/trust.md). */
export const RUNTIME_PCR = 15;
/** What a node quotes. */
export const QUOTED_PCRS: readonly number[] = [...BOOT_PCRS, RUNTIME_PCR];

export interface TpmExpectation {
  /** What the quote must have been made over (binding.ts). */
  qualifyingData: Bytes;
  /** Ascending. All of them and no others. */
  pcrs: readonly number[];
  /** 64 hex digits: what `RUNTIME_PCR` is compared with. */
  runtimeHash: string;
}

export interface TpmFacts {
  quote: Quote;
  akName: Bytes;
  akPublic: TpmPublic;
  ekPublic: TpmPublic;
  /** Replayed to the quoted values of its PCRs, or null where there is none. */
  eventLog: ReplayedLog | null;
  /**
   * `measured`: the code's hash is the one thing extended since the start. `untouched`: nothing is. `other`: something
   * else was, too. Any root process can extend it, so `measured` is a statement of the machine's root, not of the TPM.
   */
  runtime: "measured" | "untouched" | "other";
}

/** What an attestation key must be, so that it signs nothing but what the TPM itself says. */
const AK_MUST_BE =
  ATTRIBUTE.fixedTpm | ATTRIBUTE.fixedParent | ATTRIBUTE.sensitiveDataOrigin | ATTRIBUTE.restricted | ATTRIBUTE.sign;
/** What an endorsement key must be, so that it decrypts credentials for its own TPM's keys alone. */
const EK_MUST_BE =
  ATTRIBUTE.fixedTpm | ATTRIBUTE.fixedParent | ATTRIBUTE.sensitiveDataOrigin | ATTRIBUTE.restricted | ATTRIBUTE.decrypt;

export async function verifyTpmQuote(
  evidence: TpmEvidence,
  expected: TpmExpectation,
): Promise<Result<TpmFacts, EvidenceRefusal>> {
  try {
    return await verifyParsed(evidence, expected);
  } catch (error) {
    return refuse(malformed(error));
  }
}

async function verifyParsed(
  evidence: TpmEvidence,
  expected: TpmExpectation,
): Promise<Result<TpmFacts, EvidenceRefusal>> {
  const akPublic = parsePublic(evidence.akPublic);
  const ekPublic = parsePublic(evidence.ekPublic);
  const quote = parseAttest(evidence.attest);
  const signature = parseSignature(evidence.signature);

  const refusal =
    refuseKeys(akPublic, ekPublic) ??
    (await refuseSignature(evidence.attest, signature, akPublic)) ??
    (await refuseSigner(quote, akPublic, ekPublic)) ??
    refuseBinding(quote, expected) ??
    (await refusePcrs(quote, evidence.pcrs, expected.pcrs));
  if (refusal !== undefined) return refuse(refusal);

  const eventLog = evidence.eventLog === null ? null : await replayEventLog(evidence.eventLog);
  const differing = eventLog === null ? [] : differingPcrs(eventLog, evidence.pcrs);
  if (differing.length > 0) {
    return refuse({ code: "event-log", message: `the event log does not lead to PCR ${differing.join(", ")}` });
  }
  const runtime = await judgeRuntime(evidence.pcrs.get(RUNTIME_PCR), expected.runtimeHash);
  return ok({ quote, akName: await nameOf(akPublic), akPublic, ekPublic, eventLog, runtime });
}

/** The value of `RUNTIME_PCR` after the code's hash is extended into it as the first thing since the start. */
export async function measuredRuntime(runtimeHash: string): Promise<Bytes> {
  return sha256(concat(new Uint8Array(32), await runtimeMeasurement(runtimeHash)));
}

/** What is extended: a digest of its own, so that no other extension happens to be the same. */
export async function runtimeMeasurement(runtimeHash: string): Promise<Bytes> {
  return sha256(`blf-runtime/1:${runtimeHash}`);
}

async function judgeRuntime(value: Bytes | undefined, runtimeHash: string): Promise<TpmFacts["runtime"]> {
  if (value === undefined || value.every((byte) => byte === 0)) return "untouched";
  return equal(value, await measuredRuntime(runtimeHash)) ? "measured" : "other";
}

/** True for a key that signs only what a TPM itself says, and cannot leave it. */
export function isAttestationKey({ attributes }: TpmPublic): boolean {
  return (attributes & AK_MUST_BE) === AK_MUST_BE && (attributes & ATTRIBUTE.decrypt) === 0;
}

/** True for a key that decrypts only what its own TPM may see, and cannot leave it. */
export function isEndorsementKey({ attributes }: TpmPublic): boolean {
  return (attributes & EK_MUST_BE) === EK_MUST_BE && (attributes & ATTRIBUTE.sign) === 0;
}

function refuseKeys(ak: TpmPublic, ek: TpmPublic): EvidenceRefusal | undefined {
  if (!isAttestationKey(ak)) {
    return { code: "key", message: "the attestation key is not restricted to signing what the TPM itself says" };
  }
  if (!isEndorsementKey(ek)) {
    return { code: "key", message: "the endorsement key is not restricted to decrypting for its own TPM" };
  }
  return undefined;
}

async function refuseSignature(
  message: Bytes,
  signature: Signature,
  ak: TpmPublic,
): Promise<EvidenceRefusal | undefined> {
  if ((signature.scheme === "ecdsa") !== (ak.kind === "p256")) {
    return { code: "signature", message: "the signature's scheme is not the key's" };
  }
  const { key, algorithm } = await importKey(ak);
  if (key === null) return { code: "key", message: "the attestation key is no key" };
  const bytes = signature.scheme === "ecdsa" ? concat(signature.r, signature.s) : signature.signature;
  const valid = await crypto.subtle.verify(algorithm, key, bytes, message);
  return valid ? undefined : { code: "signature", message: "the attestation key did not sign this quote" };
}

/** The quote itself names its signer and, hashed into it, the signer's parent: both keys are what they are shown as. */
async function refuseSigner(quote: Quote, ak: TpmPublic, ek: TpmPublic): Promise<EvidenceRefusal | undefined> {
  if (equal(quote.qualifiedSigner, await qualifiedNameUnder(ek, ak))) return undefined;
  return { code: "key", message: "the quote does not name the attestation key under the endorsement key" };
}

function refuseBinding(quote: Quote, { qualifyingData }: TpmExpectation): EvidenceRefusal | undefined {
  if (equal(quote.qualifyingData, qualifyingData)) return undefined;
  return { code: "binding", message: "the quote was not made for this challenge and these claims" };
}

async function refusePcrs(
  quote: Quote,
  values: TpmEvidence["pcrs"],
  pcrs: readonly number[],
): Promise<EvidenceRefusal | undefined> {
  if (quote.pcrs.join() !== pcrs.join()) {
    return { code: "pcrs", message: `the quote covers other PCRs than ${pcrs.join(", ")}` };
  }
  const stated = pcrs.map((pcr) => values.get(pcr));
  if (values.size !== pcrs.length || !stated.every((value) => value !== undefined)) {
    return { code: "pcrs", message: "the values stated are not those of the PCRs quoted" };
  }
  if (equal(quote.pcrDigest, await sha256(concat(...stated)))) return undefined;
  return { code: "pcrs", message: "the values stated are not the ones that were quoted" };
}

function differingPcrs(log: ReplayedLog, values: TpmEvidence["pcrs"]): number[] {
  return [...log.pcrs]
    .filter(([pcr, value]) => {
      const quoted = values.get(pcr);
      return quoted !== undefined && BOOT_PCRS.includes(pcr) && !equal(quoted, value);
    })
    .map(([pcr]) => pcr);
}

/** Key null: the numbers are no key, such as a point off the curve. */
async function importKey(ak: TpmPublic) {
  const algorithm =
    ak.kind === "p256"
      ? { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
      : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const imported =
    ak.kind === "p256"
      ? crypto.subtle.importKey("raw", concat(Uint8Array.of(4), ak.x, ak.y), algorithm, false, ["verify"])
      : crypto.subtle.importKey("jwk", rsaJwk(ak), algorithm, false, ["verify"]);
  return { key: await imported.catch(() => null), algorithm };
}

/** A public RSA key as WebCrypto imports it. */
export function rsaJwk(key: { modulus: Bytes; exponent: number }): { kty: string; n: string; e: string } {
  const exponent = [24, 16, 8, 0].map((shift) => (key.exponent >>> shift) & 0xff);
  const bytes = Uint8Array.from(exponent.slice(exponent.findIndex((byte) => byte !== 0)));
  return { kty: "RSA", n: base64Url(key.modulus), e: base64Url(bytes) };
}

function base64Url(bytes: Bytes): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
