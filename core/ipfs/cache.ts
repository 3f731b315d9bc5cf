/**
 * A small in-memory cache of verified bytes: the nodes of one fleet ask for the same prompt within seconds of each other.
 * It holds finished bytes, never requests under way, because a Worker must not await another invocation's I/O. Invariant:
 * the entries together stay within `maxBytes`, and what a caller does to its copy does not reach the next one's.
 */
import type { Clock } from "../ports.ts";
import type { Bytes } from "./cid.ts";

export interface ByteCache {
  get(key: string): Bytes | undefined;
  set(key: string, bytes: Bytes): void;
}

/** Entries live `ttlMs` from when they were set; the oldest make room. Bytes longer than `maxBytes` are not kept. */
export function createByteCache(clock: Pick<Clock, "now">, options: { ttlMs: number; maxBytes: number }): ByteCache {
  // A Map iterates in the order of insertion, so that the first entry is the oldest.
  const entries = new Map<string, { bytes: Bytes; expiresAtMs: number }>();
  let held = 0;

  const drop = (key: string) => {
    held -= entries.get(key)?.bytes.length ?? 0;
    entries.delete(key);
  };

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (clock.now() < entry.expiresAtMs) return entry.bytes.slice();
      drop(key);
      return undefined;
    },
    set(key, bytes) {
      drop(key);
      if (bytes.length > options.maxBytes) return;
      for (const [oldest, entry] of entries) {
        if (held + bytes.length <= options.maxBytes && clock.now() < entry.expiresAtMs) break;
        drop(oldest);
      }
      entries.set(key, { bytes: bytes.slice(), expiresAtMs: clock.now() + options.ttlMs });
      held += bytes.length;
    },
  };
}
