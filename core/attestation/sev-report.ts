/**
 * The SEV-SNP attestation report (AMD, SEV-SNP Firmware ABI, ATTESTATION_REPORT), versions 2 to 5, field by field, and its
 * ECDSA P-384 signature by a key that the caller got from AMD. Reading verifies nothing. Reserved fields are not judged.
 */
import { ByteReader, type Bytes, concat, MalformedEvidence } from "./bytes.ts";

export const SNP_REPORT_BYTES = 0x4a0;
/** What the signature is over: everything before it. */
const SIGNED_BYTES = 0x2a0;
/** ECDSA P-384 with SHA-384. */
const ECDSA_P384 = 1;
const POLICY_DEBUG = 1n << 19n;
const POLICY_MIGRATION_AGENT = 1n << 18n;
/** AMD family 1Ah lays its TCB out anew. */
const TURIN_FAMILY = 0x1a;
/** R and S have room for more than 384 bits. */
const SIGNATURE_PART_BYTES = 72;
const P384_BYTES = 48;

export interface TcbVersion {
  /** Of Turin and later. */
  fmc?: number;
  bootLoader: number;
  tee: number;
  snp: number;
  microcode: number;
}

export interface FirmwareVersion {
  build: number;
  minor: number;
  major: number;
}

export interface SnpReport {
  version: number;
  guestSvn: number;
  policy: bigint;
  /** The host may read and change the guest's memory. */
  debugAllowed: boolean;
  migrationAgentAllowed: boolean;
  familyId: Bytes;
  imageId: Bytes;
  /** 0 is the most privileged. */
  vmpl: number;
  currentTcb: TcbVersion;
  platformInfo: bigint;
  /** Whether an author key's digest is there. */
  authorKey: boolean;
  /** The chip's id is zeroes and the report unsigned. */
  maskedChipKey: boolean;
  signingKey: "vcek" | "vlek" | "none" | "unknown";
  reportData: Bytes;
  /** Of what the guest was started from. */
  measurement: Bytes;
  hostData: Bytes;
  idKeyDigest: Bytes;
  authorKeyDigest: Bytes;
  reportId: Bytes;
  reportIdMa: Bytes;
  reportedTcb: TcbVersion;
  /** From version 3 on. */
  cpu: { family: number; model: number; stepping: number } | null;
  chipId: Bytes;
  committedTcb: TcbVersion;
  currentFirmware: FirmwareVersion;
  committedFirmware: FirmwareVersion;
  launchTcb: TcbVersion;
  /** Big-endian, r ‖ s, as WebCrypto takes it. */
  signature: Bytes;
}

/** Throws MalformedEvidence for another length, version or signature algorithm. */
export function parseSnpReport(bytes: Bytes): SnpReport {
  const reader = new ByteReader(bytes, "little", "SEV-SNP report");
  if (bytes.length !== SNP_REPORT_BYTES) throw new MalformedEvidence(`SEV-SNP report: not ${SNP_REPORT_BYTES} bytes`);
  const version = reader.u32();
  if (version < 2 || version > 5) throw new MalformedEvidence(`SEV-SNP report: version ${version} is not known`);
  // The TCB's form depends on the processor, which comes further down.
  const family = version >= 3 ? (bytes[0x188] ?? 0) : 0;
  const head = parseHead(reader, family);
  const digests = parseDigests(reader);
  const reportedTcb = parseTcb(reader, family);
  const cpu = { family: reader.u8(), model: reader.u8(), stepping: reader.u8() };
  reader.take(0x1a0 - reader.position);
  const chipId = reader.take(64);
  const committedTcb = parseTcb(reader, family);
  const currentFirmware = parseFirmware(reader);
  const committedFirmware = parseFirmware(reader);
  const launchTcb = parseTcb(reader, family);
  reader.take(SIGNED_BYTES - reader.position);
  const signature = concat(parseNumber(reader), parseNumber(reader));
  return {
    version,
    ...head,
    ...digests,
    reportedTcb,
    cpu: version >= 3 ? cpu : null,
    chipId,
    committedTcb,
    currentFirmware,
    committedFirmware,
    launchTcb,
    signature,
  };
}

function parseHead(reader: ByteReader, family: number) {
  const guestSvn = reader.u32();
  const policy = reader.u64();
  const familyId = reader.take(16);
  const imageId = reader.take(16);
  const vmpl = reader.u32();
  if (reader.u32() !== ECDSA_P384) throw new MalformedEvidence("SEV-SNP report: the signature is not ECDSA P-384");
  const currentTcb = parseTcb(reader, family);
  const platformInfo = reader.u64();
  const flags = reader.u32();
  reader.u32();
  return {
    guestSvn,
    policy,
    debugAllowed: (policy & POLICY_DEBUG) !== 0n,
    migrationAgentAllowed: (policy & POLICY_MIGRATION_AGENT) !== 0n,
    familyId,
    imageId,
    vmpl,
    currentTcb,
    platformInfo,
    authorKey: (flags & 1) !== 0,
    maskedChipKey: (flags & 2) !== 0,
    signingKey: signingKeyOf((flags >> 2) & 7),
  };
}

function parseDigests(reader: ByteReader) {
  return {
    reportData: reader.take(64),
    measurement: reader.take(48),
    hostData: reader.take(32),
    idKeyDigest: reader.take(48),
    authorKeyDigest: reader.take(48),
    reportId: reader.take(32),
    reportIdMa: reader.take(32),
  };
}

/**
 * True when the key signed the report. Whose key it is, and whether it is revoked, is the caller's to know.
 * @param publicKey the VCEK's or VLEK's point, uncompressed, 97 bytes
 */
export async function verifySnpSignature(bytes: Bytes, publicKey: Bytes): Promise<boolean> {
  const { signature } = parseSnpReport(bytes);
  const curve = { name: "ECDSA", namedCurve: "P-384" };
  const key = await crypto.subtle.importKey("raw", publicKey, curve, false, ["verify"]).catch(() => null);
  if (key === null) return false;
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-384" }, key, signature, bytes.slice(0, SIGNED_BYTES));
}

function signingKeyOf(value: number): SnpReport["signingKey"] {
  if (value === 0) return "vcek";
  if (value === 1) return "vlek";
  return value === 7 ? "none" : "unknown";
}

function parseTcb(reader: ByteReader, family: number): TcbVersion {
  const [a = 0, b = 0, c = 0, d = 0, , , g = 0, microcode = 0] = reader.take(8);
  if (family >= TURIN_FAMILY) return { fmc: a, bootLoader: b, tee: c, snp: d, microcode };
  return { bootLoader: a, tee: b, snp: g, microcode };
}

function parseFirmware(reader: ByteReader): FirmwareVersion {
  const [build, minor, major] = [reader.u8(), reader.u8(), reader.u8()];
  reader.u8();
  return { build, minor, major };
}

/** Little-endian with room to spare; WebCrypto's is big-endian without. */
function parseNumber(reader: ByteReader): Bytes {
  const bytes = reader.take(SIGNATURE_PART_BYTES).reverse();
  if (bytes.subarray(0, SIGNATURE_PART_BYTES - P384_BYTES).some((byte) => byte !== 0)) {
    throw new MalformedEvidence("SEV-SNP report: a number of the signature is too large");
  }
  return bytes.slice(SIGNATURE_PART_BYTES - P384_BYTES);
}
