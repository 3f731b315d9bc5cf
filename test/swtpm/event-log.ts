/** Writes event logs in the crypto-agile form, from the specification, for tests. */
import { createHash } from "node:crypto";

export interface MadeEvent {
  pcr: number;
  type: number;
  data: string | Uint8Array;
}

const ALGORITHMS: Record<string, number> = { sha1: 0x0004, sha256: 0x000b, sha384: 0x000c };

export function digestOf(algorithm: string, data: string | Uint8Array): Buffer {
  return createHash(algorithm).update(data).digest();
}

/** @param banks which digests each event carries */
export function makeEventLog(events: readonly MadeEvent[], banks: readonly string[] = ["sha1", "sha256"]): Buffer {
  return Buffer.concat([header(banks), ...events.map((event) => encode(event, banks))]);
}

function header(banks: readonly string[]): Buffer {
  const spec = Buffer.concat([
    Buffer.from("Spec ID Event03\0", "latin1"),
    u32(0),
    Buffer.from([0, 2, 0, 2]),
    u32(banks.length),
    ...banks.map((bank) => Buffer.concat([u16(ALGORITHMS[bank] ?? 0), u16(digestOf(bank, "").length)])),
    Buffer.from([0]),
  ]);
  return Buffer.concat([u32(0), u32(3), Buffer.alloc(20), u32(spec.length), spec]);
}

function encode({ pcr, type, data }: MadeEvent, banks: readonly string[]): Buffer {
  const bytes = Buffer.from(data);
  const digests = banks.map((bank) => {
    const digest = type === 3 ? Buffer.alloc(digestOf(bank, "").length) : digestOf(bank, bytes);
    return Buffer.concat([u16(ALGORITHMS[bank] ?? 0), digest]);
  });
  return Buffer.concat([u32(pcr), u32(type), u32(banks.length), ...digests, u32(bytes.length), bytes]);
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
