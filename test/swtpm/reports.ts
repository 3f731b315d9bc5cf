/** SEV-SNP reports and TDX quotes, built from the specifications' offsets: every field has content of its own. */
import type { Bytes } from "../../core/attestation/bytes.ts";

export interface SnpChanges {
  version?: number;
  family?: number;
  policy?: bigint;
  reportData?: Uint8Array;
}

/** Unsigned. */
export function makeSnpReport(changes: SnpChanges = {}): Bytes {
  const report = new Uint8Array(0x4a0);
  const view = new DataView(report.buffer);
  const fill = (at: number, length: number, byte: number) => report.fill(byte, at, at + length);
  const tcb = (at: number, tens: number) => {
    for (let byte = 0; byte < 8; byte++) report[at + byte] = tens + byte + 1;
  };
  view.setUint32(0x00, changes.version ?? 3, true);
  view.setUint32(0x04, 0x01020304, true);
  view.setBigUint64(0x08, changes.policy ?? 0x30000n, true);
  fill(0x10, 16, 0x10);
  fill(0x20, 16, 0x20);
  view.setUint32(0x30, 1, true);
  view.setUint32(0x34, 1, true);
  tcb(0x38, 0);
  view.setBigUint64(0x40, 0x25n, true);
  view.setUint32(0x48, 0b00101, true);
  report.set(changes.reportData ?? new Uint8Array(64).fill(0x50), 0x50);
  fill(0x90, 48, 0x90);
  fill(0xc0, 32, 0xc0);
  fill(0xe0, 48, 0xe0);
  fill(0x110, 48, 0x11);
  fill(0x140, 32, 0x14);
  fill(0x160, 32, 0x16);
  tcb(0x180, 10);
  report.set([changes.family ?? 0x19, 0x11, 0x01], 0x188);
  fill(0x1a0, 64, 0x1a);
  tcb(0x1e0, 20);
  report.set([1, 2, 3, 0, 4, 5, 6, 0], 0x1e8);
  tcb(0x1f0, 30);
  return report;
}

/** A key in the place of AMD's. */
export async function p384Key() {
  const curve = { name: "ECDSA", namedCurve: "P-384" };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
  return {
    point: new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)),
    async sign(report: Bytes): Promise<Bytes> {
      const algorithm = { name: "ECDSA", hash: "SHA-384" };
      const signature = new Uint8Array(await crypto.subtle.sign(algorithm, privateKey, report.slice(0, 0x2a0)));
      const signed = report.slice();
      signed.set(signature.slice(0, 48).reverse(), 0x2a0);
      signed.set(signature.slice(48).reverse(), 0x2a0 + 72);
      return signed;
    },
  };
}

export interface TdxChanges {
  format?: 4 | 5;
  /** The body of TDX 1.5. */
  extended?: boolean;
  tdAttributes?: bigint;
  reportData?: Uint8Array;
}

/** Signed by a key of its own, which its quoting enclave names. */
export async function makeTdxQuote(changes: TdxChanges = {}): Promise<Bytes> {
  const { format = 4, extended = false, tdAttributes = 0x10000000n } = changes;
  const filled = (length: number, byte: number) => Buffer.alloc(length, byte);
  const header = [u16(format), u16(2), u32(0x81), filled(4, 0x31), filled(16, 0x32), filled(20, 0x33)];
  const bodyType = format === 5 ? [u16(extended ? 3 : 2), u32(extended ? 648 : 584)] : [];
  const measurements = [7, 8, 9, 10, 11, 12, 13, 14].map((byte) => filled(48, byte));
  const body = [
    filled(16, 1),
    filled(48, 2),
    filled(48, 3),
    filled(8, 4),
    u64(tdAttributes),
    filled(8, 6),
    ...measurements,
  ];
  const tail = extended ? [filled(16, 16), filled(48, 17)] : [];
  const reportData = Buffer.from(changes.reportData ?? new Uint8Array(64).fill(15));
  const signed = Buffer.concat([...header, ...bodyType, ...body, reportData, ...tail]);
  const section = await signatureSection(signed);
  return Uint8Array.from(Buffer.concat([signed, u32(section.length), section]));
}

async function signatureSection(signed: Buffer): Promise<Buffer> {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
  const key = Buffer.from(await crypto.subtle.exportKey("raw", publicKey)).subarray(1);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = Buffer.from(await crypto.subtle.sign(algorithm, privateKey, Uint8Array.from(signed)));
  const authData = Buffer.alloc(32, 0x41);
  const named = await crypto.subtle.digest("SHA-256", Uint8Array.from(Buffer.concat([key, authData])));
  const qeReport = Buffer.alloc(384, 0x42);
  qeReport.set(new Uint8Array(named), 320);
  const certificates = Buffer.from("certificates");
  const certification = Buffer.concat([
    qeReport,
    Buffer.alloc(64, 0x43),
    u16(authData.length),
    authData,
    u16(5),
    u32(certificates.length),
    certificates,
  ]);
  return Buffer.concat([signature, key, u16(6), u32(certification.length), certification]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
