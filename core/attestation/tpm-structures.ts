/**
 * The TPM 2.0 structures that a quote consists of (TPM Library, part 2): TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC.
 * Only what an attestation or endorsement key of ours may be is read: RSA and NIST P-256, SHA-256. Anything else, bytes left
 * over included, throws MalformedEvidence. Reading verifies nothing.
 */
import { sha256 } from "../crypto/sha256.ts";
import { ByteReader, type Bytes, concat, MalformedEvidence, u16 } from "./bytes.ts";

/** TPM_ALG_ID (part 2, 6.3). */
export const ALG = {
  RSA: 0x0001,
  AES: 0x0006,
  SHA256: 0x000b,
  NULL: 0x0010,
  RSASSA: 0x0014,
  ECDSA: 0x0018,
  ECC: 0x0023,
  CFB: 0x0043,
} as const;

/** TPM_ECC_NIST_P256 (part 2, 6.4). */
const NIST_P256 = 0x0003;
/** TPM_GENERATED_VALUE: what a TPM puts first in what it attests, and refuses to sign for others with a restricted key. */
export const TPM_GENERATED = 0xff544347;
/** TPM_ST_ATTEST_QUOTE. */
export const ST_ATTEST_QUOTE = 0x8018;
/** A name or qualified name: algorithm and digest. */
const MAX_NAME_BYTES = 2 + 64;
/** The largest RSA key in use. */
const MAX_RSA_BYTES = 512;
const DEFAULT_EXPONENT = 65_537;

/** TPMA_OBJECT (part 2, 8.3). */
export const ATTRIBUTE = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

export interface Quote {
  magic: number;
  type: number;
  qualifiedSigner: Bytes;
  qualifyingData: Bytes;
  /** Counts reboots; only comparable for one TPM. */
  resetCount: number;
  restartCount: number;
  firmwareVersion: bigint;
  /** Of the SHA-256 bank, ascending. */
  pcrs: readonly number[];
  pcrDigest: Bytes;
}

export type Signature = { scheme: "rsassa"; signature: Bytes } | { scheme: "ecdsa"; r: Bytes; s: Bytes };

interface PublicArea {
  attributes: number;
  /** The whole TPMT_PUBLIC, which a key's name is the hash of. */
  encoded: Bytes;
}

/** `wrap` is what a storage key wraps with: AES-CFB of that many bits, or null for a key that signs. */
export type TpmPublic = PublicArea &
  (
    | { kind: "rsa"; modulus: Bytes; exponent: number; wrapBits: number | null }
    | { kind: "p256"; x: Bytes; y: Bytes; wrapBits: number | null }
  );

/** TPMS_ATTEST; magic and type are read, not judged. The part for a quote is read only where the type says so. */
export function parseAttest(bytes: Uint8Array): Quote {
  const reader = new ByteReader(bytes, "big", "TPMS_ATTEST");
  const magic = reader.u32();
  const type = reader.u16();
  if (magic !== TPM_GENERATED) throw new MalformedEvidence("TPMS_ATTEST: the magic is not TPM_GENERATED");
  if (type !== ST_ATTEST_QUOTE) throw new MalformedEvidence("TPMS_ATTEST: the type is not a quote's");
  const qualifiedSigner = reader.sized(MAX_NAME_BYTES);
  const qualifyingData = reader.sized(64);
  reader.u64(); // clock
  const resetCount = reader.u32();
  const restartCount = reader.u32();
  reader.u8(); // safe
  const firmwareVersion = reader.u64();
  const pcrs = parseSelection(reader);
  const pcrDigest = reader.sized(32);
  reader.end();
  return { magic, type, qualifiedSigner, qualifyingData, resetCount, restartCount, firmwareVersion, pcrs, pcrDigest };
}

/** TPML_PCR_SELECTION with the one bank that we quote. */
function parseSelection(reader: ByteReader): number[] {
  if (reader.u32() !== 1) throw new MalformedEvidence("TPMS_ATTEST: not exactly one bank is quoted");
  if (reader.u16() !== ALG.SHA256) throw new MalformedEvidence("TPMS_ATTEST: the bank is not SHA-256");
  const size = reader.u8();
  if (size > 4) throw new MalformedEvidence("TPMS_ATTEST: the selection is too long");
  return [...reader.take(size)].flatMap((byte, at) =>
    Array.from({ length: 8 }, (_, bit) => (((byte >> bit) & 1) === 1 ? at * 8 + bit : -1)).filter((pcr) => pcr >= 0),
  );
}

export function parseSignature(bytes: Uint8Array): Signature {
  const reader = new ByteReader(bytes, "big", "TPMT_SIGNATURE");
  const scheme = reader.u16();
  if (reader.u16() !== ALG.SHA256) throw new MalformedEvidence("TPMT_SIGNATURE: the hash is not SHA-256");
  const signature = parseSignatureOf(reader, scheme);
  reader.end();
  return signature;
}

function parseSignatureOf(reader: ByteReader, scheme: number): Signature {
  switch (scheme) {
    case ALG.RSASSA:
      return { scheme: "rsassa", signature: reader.sized(MAX_RSA_BYTES) };
    case ALG.ECDSA:
      return { scheme: "ecdsa", r: padded(reader.sized(32)), s: padded(reader.sized(32)) };
    default:
      throw new MalformedEvidence("TPMT_SIGNATURE: the scheme is neither RSASSA nor ECDSA");
  }
}

/** TPMT_PUBLIC. Its name is made with SHA-256, or it is refused. */
export function parsePublic(bytes: Uint8Array): TpmPublic {
  const reader = new ByteReader(bytes, "big", "TPMT_PUBLIC");
  const type = reader.u16();
  if (reader.u16() !== ALG.SHA256) throw new MalformedEvidence("TPMT_PUBLIC: the name's algorithm is not SHA-256");
  const attributes = reader.u32();
  reader.sized(64); // authPolicy
  const encoded = Uint8Array.from(bytes);
  const key = type === ALG.RSA ? parseRsa(reader) : parseEcc(reader, type);
  reader.end();
  return { attributes, encoded, ...key };
}

function parseRsa(reader: ByteReader) {
  const wrapBits = parseSymmetric(reader);
  parseScheme(reader, [ALG.RSASSA]);
  const bits = reader.u16();
  const exponent = reader.u32() || DEFAULT_EXPONENT;
  const modulus = reader.sized(MAX_RSA_BYTES);
  if (bits < 2048 || modulus.length * 8 !== bits) throw new MalformedEvidence("TPMT_PUBLIC: the RSA key is too short");
  return { kind: "rsa", modulus, exponent, wrapBits } as const;
}

function parseEcc(reader: ByteReader, type: number) {
  if (type !== ALG.ECC) throw new MalformedEvidence("TPMT_PUBLIC: the key is neither RSA nor ECC");
  const wrapBits = parseSymmetric(reader);
  parseScheme(reader, [ALG.ECDSA]);
  if (reader.u16() !== NIST_P256) throw new MalformedEvidence("TPMT_PUBLIC: the curve is not NIST P-256");
  if (reader.u16() !== ALG.NULL) throw new MalformedEvidence("TPMT_PUBLIC: a derivation scheme is not expected");
  const x = padded(reader.sized(32));
  const y = padded(reader.sized(32));
  return { kind: "p256", x, y, wrapBits } as const;
}

/** Some TPMs leave out leading zeros. */
function padded(number: Bytes): Bytes {
  return concat(new Uint8Array(32 - number.length), number);
}

function parseSymmetric(reader: ByteReader): number | null {
  const algorithm = reader.u16();
  if (algorithm === ALG.NULL) return null;
  const bits = reader.u16();
  const mode = reader.u16();
  if (algorithm !== ALG.AES || mode !== ALG.CFB)
    throw new MalformedEvidence("TPMT_PUBLIC: it wraps with other than AES-CFB");
  return bits;
}

function parseScheme(reader: ByteReader, allowed: readonly number[]): void {
  const scheme = reader.u16();
  if (scheme === ALG.NULL) return;
  if (!allowed.includes(scheme)) throw new MalformedEvidence("TPMT_PUBLIC: the signing scheme is not expected");
  if (reader.u16() !== ALG.SHA256) throw new MalformedEvidence("TPMT_PUBLIC: the scheme's hash is not SHA-256");
}

/** A TPM2B_PUBLIC's content, which is what tpm2-tools writes to files. */
export function unsizedPublic(bytes: Uint8Array): Bytes {
  const reader = new ByteReader(bytes, "big", "TPM2B_PUBLIC");
  const area = reader.sized(0xffff);
  reader.end();
  return area;
}

/** `nameAlg ‖ SHA-256(TPMT_PUBLIC)` (part 1, 16). */
export async function nameOf(key: TpmPublic): Promise<Bytes> {
  return concat(u16(ALG.SHA256), await sha256(key.encoded));
}

/** TPM_RH_ENDORSEMENT, whose handle is its name. */
const ENDORSEMENT = Uint8Array.of(0x40, 0x00, 0x00, 0x0b);

/** The qualified name of a key under a primary key of the endorsement hierarchy (part 1, 26.5). */
export async function qualifiedNameUnder(ek: TpmPublic, key: TpmPublic): Promise<Bytes> {
  const parent = await qualified(ENDORSEMENT, await nameOf(ek));
  return qualified(parent, await nameOf(key));
}

async function qualified(parent: Uint8Array, name: Bytes): Promise<Bytes> {
  return concat(u16(ALG.SHA256), await sha256(concat(parent, name)));
}
