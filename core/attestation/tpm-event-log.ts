/**
 * The firmware's event log in the crypto-agile form (TCG PC Client Platform Firmware Profile, section 10) and its replay
 * to the PCR values of the SHA-256 bank. A log proves nothing by itself: only when its replay gives the values of a quote
 * are its digests the ones measured. An event's data is what its digest is of only for some types; no data is trusted here.
 */
import { sha256 } from "../crypto/sha256.ts";
import { ByteReader, type Bytes, concat, MalformedEvidence } from "./bytes.ts";
import { ALG } from "./tpm-structures.ts";

export interface LoggedEvent {
  pcr: number;
  type: number;
  /** Of the SHA-256 bank. */
  digest: Bytes;
  data: Bytes;
}

export interface ReplayedLog {
  events: readonly LoggedEvent[];
  /** Those PCRs that an event was extended into. */
  pcrs: ReadonlyMap<number, Bytes>;
}

/** It informs and is not extended. */
export const EV_NO_ACTION = 0x00000003;
const SPEC_ID = "Spec ID Event03\0";
const STARTUP_LOCALITY = "StartupLocality\0";
const DIGEST_BYTES = 32;
const PCR_COUNT = 24;
const MAX_BANKS = 16;
/** A log of a machine that runs for long, and a bound for one that is made up. */
const MAX_EVENTS = 20_000;

/** Throws MalformedEvidence for a log that is cut, not crypto-agile, or without SHA-256. */
export async function replayEventLog(bytes: Bytes): Promise<ReplayedLog> {
  const events = parseEventLog(bytes);
  const pcrs = new Map<number, Bytes>();
  const locality = startupLocality(events);
  for (const event of events) {
    if (event.type === EV_NO_ACTION) continue;
    const before = pcrs.get(event.pcr) ?? initialValue(event.pcr, locality);
    pcrs.set(event.pcr, await sha256(concat(before, event.digest)));
  }
  return { events, pcrs };
}

/** Throws like `replayEventLog`. */
export function parseEventLog(bytes: Bytes): LoggedEvent[] {
  const reader = new ByteReader(bytes, "little", "event log");
  const banks = parseHeader(reader);
  const events: LoggedEvent[] = [];
  while (reader.left > 0 && !isPadding(bytes, reader.position)) {
    if (events.length === MAX_EVENTS) throw new MalformedEvidence("event log: too many events");
    events.push(parseEvent(reader, banks));
  }
  return events;
}

/** The first event has the old form and tells the banks and the sizes of their digests. */
function parseHeader(reader: ByteReader): ReadonlyMap<number, number> {
  const pcr = reader.u32();
  const type = reader.u32();
  reader.take(20);
  const spec = new ByteReader(reader.take(reader.u32()), "little", "event log header");
  if (pcr !== 0 || type !== EV_NO_ACTION || spec.left < SPEC_ID.length || text(spec.take(16)) !== SPEC_ID) {
    throw new MalformedEvidence("event log: not in the crypto-agile form of TPM 2.0");
  }
  spec.take(8);
  const count = spec.u32();
  if (count > MAX_BANKS) throw new MalformedEvidence("event log: too many banks");
  const banks = new Map(Array.from({ length: count }, () => [spec.u16(), spec.u16()] as const));
  spec.take(spec.u8());
  if (banks.get(ALG.SHA256) !== DIGEST_BYTES) throw new MalformedEvidence("event log: without the SHA-256 bank");
  return banks;
}

function parseEvent(reader: ByteReader, banks: ReadonlyMap<number, number>): LoggedEvent {
  const pcr = reader.u32();
  const type = reader.u32();
  // An event that is not extended may name no PCR at all.
  if (pcr >= PCR_COUNT && type !== EV_NO_ACTION) throw new MalformedEvidence("event log: no such PCR");
  const count = reader.u32();
  if (count > banks.size) throw new MalformedEvidence("event log: more digests than banks");
  let digest: Bytes | undefined;
  for (let at = 0; at < count; at++) {
    const algorithm = reader.u16();
    const size = banks.get(algorithm);
    if (size === undefined) throw new MalformedEvidence("event log: a digest of an unknown bank");
    const value = reader.take(size);
    if (algorithm === ALG.SHA256) digest = value;
  }
  if (digest === undefined) throw new MalformedEvidence("event log: an event without a SHA-256 digest");
  return { pcr, type, digest, data: reader.take(reader.u32()) };
}

/** A log read from a fixed area ends in bytes that are all 0 or all 0xff. */
function isPadding(bytes: Bytes, from: number): boolean {
  const first = bytes[from];
  if (first !== 0 && first !== 0xff) return false;
  return bytes.subarray(from).every((byte) => byte === first);
}

/** A machine that starts its TPM from another locality than 0 says so, and PCR 0 begins with it. */
function startupLocality(events: readonly LoggedEvent[]): number {
  const event = events.find(({ type, data }) => type === EV_NO_ACTION && text(data).startsWith(STARTUP_LOCALITY));
  return event?.data[STARTUP_LOCALITY.length] ?? 0;
}

function initialValue(pcr: number, locality: number): Bytes {
  const value = new Uint8Array(DIGEST_BYTES);
  // PCRs of a dynamic launch are all ones until there is one.
  if (pcr >= 17 && pcr <= 22) value.fill(0xff);
  if (pcr === 0) value[DIGEST_BYTES - 1] = locality;
  return value;
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 32));
}
