/**
 * Finds secrets in bytes, in every form of forms.ts, and inside the gzip members it meets. One pass over a place for all
 * secrets at once: tens of megabytes a second, however many they are. Invariant: no place is skipped, and what cannot be
 * unpacked has been searched as it is.
 */
import { constants, inflateRawSync } from "node:zlib";
import { type Encoding, fold, formsOf, type Needle, type Secret } from "./forms.ts";

export type { Encoding, Secret } from "./forms.ts";

export interface Place {
  name: string;
  bytes: Uint8Array;
}

export interface Finding {
  secret: string;
  /** Inside a gzip member: `PLACE!gzip@OFFSET`. */
  place: string;
  encoding: Encoding;
  offset: number;
}

/** Members within members. */
const GZIP_DEPTH = 3;
const GZIP_MAX_BYTES = 64 << 20;
/** The first bytes of a needle, by which it is looked up. */
const HEAD_BYTES = 4;
const FILTER_BITS = 20;

/** Every occurrence of every secret, place by place, in order of offset within a kind of form. */
export function search(secrets: readonly Secret[], places: Iterable<Place>): Finding[] {
  const needles = secrets.flatMap(formsOf);
  const exact = indexOf(needles.filter(({ folded }) => !folded));
  const folded = indexOf(needles.filter((needle) => needle.folded));
  const findings: Finding[] = [];
  for (const place of places) searchPlace(place, exact, folded, findings, 0);
  return findings;
}

interface Index {
  /** Which heads occur at all; most of a place's bytes are dismissed here. */
  filter: Uint8Array;
  byHead: Map<number, Needle[]>;
}

function indexOf(needles: readonly Needle[]): Index {
  const filter = new Uint8Array(1 << FILTER_BITS);
  const byHead = new Map<number, Needle[]>();
  for (const needle of needles) {
    const head = needle.bytes.readUInt32LE(0);
    filter[slotOf(head)] = 1;
    byHead.set(head, [...(byHead.get(head) ?? []), needle]);
  }
  return { filter, byHead };
}

function slotOf(head: number): number {
  return Math.imul(head, 0x9e3779b1) >>> (32 - FILTER_BITS);
}

function searchPlace(place: Place, exact: Index, folded: Index, findings: Finding[], depth: number): void {
  const bytes = Buffer.from(place.bytes.buffer, place.bytes.byteOffset, place.bytes.byteLength);
  scan(bytes, exact, place.name, findings);
  scan(fold(bytes), folded, place.name, findings);
  if (depth === GZIP_DEPTH) return;
  for (const offset of gzipMembers(bytes)) {
    const unpacked = unpack(bytes.subarray(offset));
    if (unpacked === null) continue;
    searchPlace({ name: `${place.name}!gzip@${offset}`, bytes: unpacked }, exact, folded, findings, depth + 1);
  }
}

function scan(bytes: Buffer, { filter, byHead }: Index, place: string, findings: Finding[]): void {
  if (byHead.size === 0 || bytes.length < HEAD_BYTES) return;
  let head = bytes.readUInt32LE(0);
  for (let offset = 0; ; offset++) {
    if (filter[slotOf(head)] === 1) {
      for (const needle of byHead.get(head) ?? []) {
        const end = offset + needle.bytes.length;
        if (end > bytes.length || bytes.compare(needle.bytes, 0, needle.bytes.length, offset, end) !== 0) continue;
        findings.push({ secret: needle.secret, place, encoding: needle.encoding, offset });
      }
    }
    const next = bytes[offset + HEAD_BYTES];
    if (next === undefined) return;
    head = ((head >>> 8) | (next << 24)) >>> 0;
  }
}

/** Where a gzip member may begin: magic, deflate, no reserved flags (RFC 1952, 2.3.1). */
function gzipMembers(bytes: Buffer): number[] {
  const offsets: number[] = [];
  const magic = Buffer.from([0x1f, 0x8b, 0x08]);
  for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
    if (((bytes[at + 3] ?? 0xff) & 0xe0) === 0) offsets.push(at);
  }
  return offsets;
}

/** What a member holds, also of one that is cut off or followed by something else; null where it is none after all. */
function unpack(bytes: Buffer): Buffer | null {
  try {
    const deflated = bytes.subarray(headerLength(bytes));
    // Without the trailer: its checksum would keep a member from us that is cut off.
    const unpacked = inflateRawSync(deflated, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: GZIP_MAX_BYTES,
    });
    return unpacked.length === 0 ? null : unpacked;
  } catch {
    return null;
  }
}

/** RFC 1952, 2.3: ten bytes, then an extra field, a name, a comment and a checksum, each by its flag. */
function headerLength(bytes: Buffer): number {
  const flags = bytes[3] ?? 0;
  let length = 10;
  if ((flags & 4) !== 0) length += 2 + bytes.readUInt16LE(length);
  for (const flag of [8, 16]) if ((flags & flag) !== 0) length = bytes.indexOf(0, length) + 1;
  return (flags & 2) === 0 ? length : length + 2;
}
