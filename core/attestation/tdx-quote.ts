/**
 * The TDX quote (Intel TDX DCAP, quote format 4 and 5): header, TD report, signature section, field by field, and the
 * signature by the attestation key that the quote itself brings. That key is as good as its certificates, which are handed
 * back unread: without Intel's word on them a quote proves nothing about hardware.
 */
import { sha256 } from "../crypto/sha256.ts";
import { ByteReader, type Bytes, concat, equal, MalformedEvidence } from "./bytes.ts";

const ECDSA_P256 = 2;
const TEE_TDX = 0x81;
const HEADER_BYTES = 48;
/** Of format 5. */
const BODY_TDX_1_0 = 2;
const BODY_TDX_1_5 = 3;
/** The quoting enclave's own report with its certificates. */
const QE_REPORT_CERTIFICATION = 6;
const QE_REPORT_BYTES = 384;
const QE_REPORT_DATA_AT = 320;
const ATTRIBUTE_DEBUG = 1n;

export interface TdxQuote {
  header: {
    version: 4 | 5;
    attestationKeyType: number;
    teeType: number;
    /** What the two fields mean depends on the format; kept as they are. */
    svns: Bytes;
    qeVendorId: Bytes;
    userData: Bytes;
  };
  body: TdReport;
  /** Header and body: what is signed. */
  signed: Bytes;
  /** r ‖ s. */
  signature: Bytes;
  /** x ‖ y, P-256. */
  attestationKey: Bytes;
  /** What vouches for the attestation key, or null where the quote brings it in a form other than 6. */
  qe: { report: Bytes; signature: Bytes; authData: Bytes; certificateType: number; certificates: Bytes } | null;
}

export interface TdReport {
  teeTcbSvn: Bytes;
  mrSeam: Bytes;
  mrSignerSeam: Bytes;
  seamAttributes: bigint;
  tdAttributes: bigint;
  /** The host may read and change the guest's memory. */
  debug: boolean;
  xfam: bigint;
  /** Of what the guest was started from. */
  mrTd: Bytes;
  mrConfigId: Bytes;
  mrOwner: Bytes;
  mrOwnerConfig: Bytes;
  /** Four registers that firmware and kernel extend. */
  rtmr: readonly Bytes[];
  reportData: Bytes;
  /** TDX 1.5 in format 5 only. */
  teeTcbSvn2: Bytes | null;
  mrServiceTd: Bytes | null;
}

/** Throws MalformedEvidence for another format, technology or key, and for bytes left over that are not padding. */
export function parseTdxQuote(bytes: Bytes): TdxQuote {
  const reader = new ByteReader(bytes, "little", "TDX quote");
  const header = parseHeader(reader);
  const extended = header.version === 5 ? parseBodyType(reader) : false;
  const body = parseBody(reader, extended);
  const signed = bytes.slice(0, reader.position);
  const section = new ByteReader(reader.take(reader.u32()), "little", "TDX quote signature");
  // Some quoting services hand out a buffer of fixed size.
  if (reader.take(reader.left).some((byte) => byte !== 0)) throw new MalformedEvidence("TDX quote: bytes too many");
  const signature = section.take(64);
  const attestationKey = section.take(64);
  const certification = { type: section.u16(), data: section.take(section.u32()) };
  section.end();
  const qe = certification.type === QE_REPORT_CERTIFICATION ? parseQe(certification.data) : null;
  return { header, body, signed, signature, attestationKey, qe };
}

/**
 * True when the quote's own attestation key signed it and the quoting enclave's report names that key. It says nothing
 * about who the quoting enclave is: that takes its certificates, Intel's collateral and a verifier that reads them.
 */
export async function verifyTdxSignature({ signed, signature, attestationKey, qe }: TdxQuote): Promise<boolean> {
  if (qe === null) return false;
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const raw = concat(Uint8Array.of(4), attestationKey);
  const key = await crypto.subtle.importKey("raw", raw, curve, false, ["verify"]).catch(() => null);
  if (key === null) return false;
  const named = await sha256(concat(attestationKey, qe.authData));
  if (!equal(qe.report.subarray(QE_REPORT_DATA_AT, QE_REPORT_DATA_AT + 32), named)) return false;
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, signed);
}

function parseHeader(reader: ByteReader): TdxQuote["header"] {
  const version = reader.u16();
  if (version !== 4 && version !== 5) throw new MalformedEvidence(`TDX quote: format ${version} is not known`);
  const attestationKeyType = reader.u16();
  const teeType = reader.u32();
  if (teeType !== TEE_TDX) throw new MalformedEvidence("TDX quote: not of a TDX guest");
  if (attestationKeyType !== ECDSA_P256) throw new MalformedEvidence("TDX quote: the key is not ECDSA P-256");
  const svns = reader.take(4);
  const qeVendorId = reader.take(16);
  const userData = reader.take(20);
  if (reader.position !== HEADER_BYTES) throw new Error("the header's fields do not add up");
  return { version, attestationKeyType, teeType, svns, qeVendorId, userData };
}

/** True for the longer report of TDX 1.5. */
function parseBodyType(reader: ByteReader): boolean {
  const type = reader.u16();
  const size = reader.u32();
  if (type === BODY_TDX_1_0 && size === 584) return false;
  if (type === BODY_TDX_1_5 && size === 648) return true;
  throw new MalformedEvidence("TDX quote: the body is not a TD report of 1.0 or 1.5");
}

function parseBody(reader: ByteReader, extended: boolean): TdReport {
  const teeTcbSvn = reader.take(16);
  const mrSeam = reader.take(48);
  const mrSignerSeam = reader.take(48);
  const seamAttributes = reader.u64();
  const tdAttributes = reader.u64();
  const xfam = reader.u64();
  const [mrTd, mrConfigId, mrOwner, mrOwnerConfig] = [
    reader.take(48),
    reader.take(48),
    reader.take(48),
    reader.take(48),
  ];
  const rtmr = [reader.take(48), reader.take(48), reader.take(48), reader.take(48)];
  return {
    teeTcbSvn,
    mrSeam,
    mrSignerSeam,
    seamAttributes,
    tdAttributes,
    debug: (tdAttributes & ATTRIBUTE_DEBUG) !== 0n,
    xfam,
    mrTd,
    mrConfigId,
    mrOwner,
    mrOwnerConfig,
    rtmr,
    reportData: reader.take(64),
    teeTcbSvn2: extended ? reader.take(16) : null,
    mrServiceTd: extended ? reader.take(48) : null,
  };
}

function parseQe(data: Bytes): NonNullable<TdxQuote["qe"]> {
  const reader = new ByteReader(data, "little", "TDX quote certification");
  const report = reader.take(QE_REPORT_BYTES);
  const signature = reader.take(64);
  const authData = reader.take(reader.u16());
  const certificateType = reader.u16();
  const certificates = reader.take(reader.u32());
  reader.end();
  return { report, signature, authData, certificateType, certificates };
}
