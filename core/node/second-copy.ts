/**
 * Whether another copy of this node runs somewhere else: the coordinator heard heartbeats of our address that we did
 * not send (`metrics.last_heartbeat` of GET /v1/nodes/{address}). One such moment may be a mistake of clocks; two
 * different ones are a second copy. All times are unix seconds by the coordinator's clock, as far as we know it.
 */

export interface BeatWatch {
  /** Nothing earlier tells us anything: an earlier run of this very node may have sent it. */
  sinceSec: number;
  /** When our own heartbeats and attestations reached the coordinator: from just before to just after. */
  own: readonly { fromSec: number; toSec: number }[];
  /** Moments that were none of ours. */
  foreign: readonly number[];
}

/** Date headers have whole seconds, and a coordinator may round. */
const TOLERANCE_SEC = 3;
/** A heartbeat that a killed run of this node had on its way still counts as ours. */
const IN_FLIGHT_SEC = 15;
const KEEP = 20;
/** So many different moments make a second copy. */
export const FOREIGN_AT = 2;

export function newWatch(nowSec: number): BeatWatch {
  return { sinceSec: nowSec + IN_FLIGHT_SEC, own: [], foreign: [] };
}

/** Remembers a heartbeat or an attestation of ours, also one whose answer was lost. */
export function sentBeat(watch: BeatWatch, fromSec: number, toSec: number): BeatWatch {
  return { ...watch, own: [...watch.own, { fromSec, toSec }].slice(-KEEP) };
}

/** Judges what the coordinator says it heard last. */
export function heardBeat(watch: BeatWatch, lastSec: number): { watch: BeatWatch; secondCopy: boolean } {
  const known = lastSec <= watch.sinceSec || watch.foreign.includes(lastSec) || isOwn(watch, lastSec);
  const next = known ? watch : { ...watch, foreign: [...watch.foreign, lastSec].slice(-KEEP) };
  return { watch: next, secondCopy: next.foreign.length >= FOREIGN_AT };
}

/** `last_heartbeat` as versions print it: seconds or milliseconds since the epoch, or a date. Null when unreadable. */
export function lastHeartbeatSec(metrics: Readonly<Record<string, unknown>> | undefined): number | null {
  const value = metrics?.last_heartbeat;
  const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof number === "bigint" || typeof number === "number") return fromEpoch(Number(number));
  const ms = typeof number === "string" ? Date.parse(number) : Number.NaN;
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

function isOwn(watch: BeatWatch, sec: number): boolean {
  return watch.own.some(({ fromSec, toSec }) => sec >= fromSec - TOLERANCE_SEC && sec <= toSec + TOLERANCE_SEC);
}

function fromEpoch(value: number): number | null {
  if (!Number.isFinite(value) || value <= 0) return null;
  return Math.floor(value > 1e11 ? value / 1000 : value);
}
