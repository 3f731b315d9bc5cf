/**
 * The one hex field of the wire (protocol §2) as a hardware backend fills it: JSON in UTF-8, versioned, with the claims
 * and the evidence. Reading is strict: an unknown member, version or backend is refused, so that nothing in an envelope
 * goes unlooked at. The claims are a statement; only a verifier that recomputes the binding makes them worth anything.
 */
import { bytesToHex, hexToBytes } from "viem/utils";
import * as z from "zod";
import { type AttestedClaims, BINDING_LABEL } from "./binding.ts";
import { type Bytes, fromBase64, MalformedEvidence, toBase64 } from "./bytes.ts";

/** Of the JSON: 1 MiB as the wire's hex. */
export const MAX_ENVELOPE_BYTES = 524_288;
/** Of logs that are sent; those of real machines have 15 to 80 KiB. With base64 around it, it leaves room for the rest. */
export const MAX_EVENT_LOG_BYTES = 262_144;

const base64 = z.string();
const claimsSchema = z.strictObject({
  chainId: z.int().nonnegative(),
  node: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  runtimeHash: z.string().regex(/^[0-9a-f]{64}$/),
  models: z.array(z.string().refine((model) => model.isWellFormed())).max(1_000),
  sidecarKey: base64,
  hpkeKey: base64,
  gpuEvidenceHash: base64,
});

const tpmSchema = z.strictObject({
  /** TPMS_ATTEST, as signed. */
  attest: base64,
  /** TPMT_SIGNATURE. */
  signature: base64,
  /** TPMT_PUBLIC. */
  akPublic: base64,
  /** TPMT_PUBLIC. */
  ekPublic: base64,
  /** X.509, DER; null where the TPM holds none. */
  ekCertificate: base64.nullable(),
  /** SHA-256 bank: index to 64 hex digits. */
  pcrs: z.record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/), z.string().regex(/^[0-9a-f]{64}$/)),
  /** TCG crypto-agile log; null where it could not be read. */
  eventLog: base64.nullable(),
});

const reportSchema = z.strictObject({
  /** As configfs-tsm gave it. */
  report: base64,
  /** Certificates that came with it, in the provider's form; null without. */
  certificates: base64.nullable(),
});

const envelopeSchema = z.discriminatedUnion("backend", [
  z.strictObject({ format: z.literal(BINDING_LABEL), backend: z.literal("tpm"), claims: claimsSchema, tpm: tpmSchema }),
  z.strictObject({
    format: z.literal(BINDING_LABEL),
    backend: z.literal("sev"),
    claims: claimsSchema,
    sev: reportSchema,
  }),
  z.strictObject({
    format: z.literal(BINDING_LABEL),
    backend: z.literal("tdx"),
    claims: claimsSchema,
    tdx: reportSchema,
  }),
]);

export interface TpmEvidence {
  attest: Bytes;
  signature: Bytes;
  akPublic: Bytes;
  ekPublic: Bytes;
  ekCertificate: Bytes | null;
  /** SHA-256 bank, by index. */
  pcrs: ReadonlyMap<number, Bytes>;
  eventLog: Bytes | null;
}

export interface ReportEvidence {
  report: Bytes;
  certificates: Bytes | null;
}

export type Evidence =
  | { backend: "tpm"; tpm: TpmEvidence }
  | { backend: "sev"; report: ReportEvidence }
  | { backend: "tdx"; report: ReportEvidence };

export interface Envelope {
  claims: AttestedClaims;
  evidence: Evidence;
}

/** Hex without 0x, as `quote` of the wire. */
export function encodeEnvelope({ claims, evidence }: Envelope): string {
  const json = {
    format: BINDING_LABEL,
    backend: evidence.backend,
    claims: {
      chainId: claims.chainId,
      node: claims.node,
      runtimeHash: claims.runtimeHash,
      models: claims.models,
      sidecarKey: toBase64(claims.sidecarKey),
      hpkeKey: toBase64(claims.hpkeKey),
      gpuEvidenceHash: toBase64(claims.gpuEvidenceHash),
    },
    ...(evidence.backend === "tpm"
      ? { tpm: tpmToJson(evidence.tpm) }
      : {
          [evidence.backend]: {
            report: toBase64(evidence.report.report),
            certificates: orNull(evidence.report.certificates, toBase64),
          },
        }),
  };
  return bytesToHex(new TextEncoder().encode(JSON.stringify(json))).slice(2);
}

/** Throws MalformedEvidence for anything that `encodeEnvelope` does not write. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw new MalformedEvidence("the envelope is too long");
  const parsed = envelopeSchema.safeParse(parseJson(bytes));
  if (!parsed.success) throw new MalformedEvidence("the envelope does not have the form of blf-attest/1");
  const { claims: given } = parsed.data;
  const claims = {
    ...given,
    sidecarKey: keyOrNone(given.sidecarKey),
    hpkeKey: keyOrNone(given.hpkeKey),
    gpuEvidenceHash: keyOrNone(given.gpuEvidenceHash),
  };
  return { claims, evidence: evidenceOf(parsed.data) };
}

function keyOrNone(text: string): Bytes {
  const bytes = fromBase64(text);
  if (bytes.length !== 0 && bytes.length !== 32) throw new MalformedEvidence("a claim has neither 32 bytes nor none");
  return bytes;
}

function evidenceOf(envelope: z.output<typeof envelopeSchema>): Evidence {
  if (envelope.backend === "tpm") return { backend: "tpm", tpm: tpmFromJson(envelope.tpm) };
  const { backend } = envelope;
  const { report, certificates } = backend === "sev" ? envelope.sev : envelope.tdx;
  return { backend, report: { report: fromBase64(report), certificates: orNull(certificates, fromBase64) } };
}

function tpmToJson(tpm: TpmEvidence) {
  const pcrs = [...tpm.pcrs].toSorted(([a], [b]) => a - b).map(([index, value]) => [index, bytesToHex(value).slice(2)]);
  return {
    attest: toBase64(tpm.attest),
    signature: toBase64(tpm.signature),
    akPublic: toBase64(tpm.akPublic),
    ekPublic: toBase64(tpm.ekPublic),
    ekCertificate: orNull(tpm.ekCertificate, toBase64),
    pcrs: Object.fromEntries(pcrs),
    eventLog: orNull(tpm.eventLog, toBase64),
  };
}

function tpmFromJson(tpm: z.output<typeof tpmSchema>): TpmEvidence {
  const pcrs = Object.entries(tpm.pcrs).map(
    ([index, value]) => [Number(index), Uint8Array.from(hexToBytes(`0x${value}`))] as const,
  );
  return {
    attest: fromBase64(tpm.attest),
    signature: fromBase64(tpm.signature),
    akPublic: fromBase64(tpm.akPublic),
    ekPublic: fromBase64(tpm.ekPublic),
    ekCertificate: orNull(tpm.ekCertificate, fromBase64),
    pcrs: new Map(pcrs),
    eventLog: orNull(tpm.eventLog, fromBase64),
  };
}

function orNull<T, R>(value: T | null, convert: (value: T) => R): R | null {
  return value === null ? null : convert(value);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new MalformedEvidence("the envelope is no JSON");
  }
}
