/**
 * A 32-byte key as the two big-endian uint128 that CoFHE encrypts (protocol §3): `key = high(16) ‖ low(16)`. A value
 * outside its range is refused, never cut: a wrong key would only show as an unreadable prompt.
 */
import { bytesToBigInt, numberToBytes } from "viem/utils";
import { NodeError } from "../errors.ts";

const HALF_BYTES = 16;
const HALF_END = 1n << 128n;

export interface KeyHalves {
  /** 0 … 2^128 − 1. */
  high: bigint;
  /** 0 … 2^128 − 1. */
  low: bigint;
}

/** @param key 32 bytes; another length throws RangeError */
export function splitKey(key: Uint8Array): KeyHalves {
  if (key.length !== 2 * HALF_BYTES) throw new RangeError(`a key has ${2 * HALF_BYTES} bytes`);
  return { high: bytesToBigInt(key.slice(0, HALF_BYTES)), low: bytesToBigInt(key.slice(HALF_BYTES)) };
}

/**
 * The 32 bytes of a key.
 * @throws NodeError `key-unavailable` when a half is negative or has more than 128 bits
 */
export function joinKey(high: bigint, low: bigint): Uint8Array<ArrayBuffer> {
  for (const half of [high, low]) {
    if (half < 0n || half >= HALF_END) {
      throw new NodeError("key-unavailable", "a decrypted key half is not a uint128", {
        retry: "never",
        hint: "The job's handles do not name a prompt key. Nothing to do on this node.",
      });
    }
  }
  const key = new Uint8Array(2 * HALF_BYTES);
  key.set(numberToBytes(high, { size: HALF_BYTES }));
  key.set(numberToBytes(low, { size: HALF_BYTES }), HALF_BYTES);
  return key;
}
