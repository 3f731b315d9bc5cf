/**
 * Readers for keys, seed phrases and addresses. A message says which item is wrong and how long it is, never what it
 * holds. Invariant: what comes out is canonical (lower-case hex, checksummed addresses), so equal keys are equal texts.
 */
import type { Address } from "viem";
import { getAddress } from "viem/utils";
import { ok } from "../result.ts";
import { Secret } from "../secret.ts";
import { storageKeyBytes } from "../vault.ts";
import { type Problem, problem, type Reading } from "./setting.ts";
import { placeholder, splitList } from "./text.ts";

export type PrivateKey = `0x${string}`;

/** Order of secp256k1 (SEC 2, 2.4.1): a private key is 1 … n − 1. */
const CURVE_ORDER = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fffe_baae_dce6_af48_a03b_bfd2_5e8c_d036_4141n;
/** BIP-32: indices below 2^31 are the ones that are not hardened. */
const INDEX_MAX = 2 ** 31 - 1;
/** More nodes than one account's platform limits carry; it stops `0-2000000000` from filling the memory. */
const FLEET_MAX = 10_000;

/** One or several private keys, comma-separated, with or without 0x. A repeated key is refused. */
export function readPrivateKeys(text: string): Reading<Secret<PrivateKey>[]> {
  const items = splitList(text);
  if (items.length === 0) return problem("malformed", "holds no key");
  const keys: PrivateKey[] = [];
  const problems: Problem[] = [];
  items.forEach((item, index) => {
    const where = items.length === 1 ? "" : `(key ${index + 1} of ${items.length}) `;
    const reading = readPrivateKey(item);
    if (!reading.ok) problems.push(...reading.refusal.map((found) => ({ ...found, message: where + found.message })));
    else if (keys.includes(reading.value)) {
      problems.push({ code: "duplicate", message: `${where}repeats an earlier key`, fix: "List each key once." });
    } else keys.push(reading.value);
  });
  return problems.length > 0 ? { ok: false, refusal: problems } : ok(keys.map((key) => new Secret(key)));
}

function readPrivateKey(text: string): Reading<PrivateKey> {
  const example = placeholder(text);
  if (example !== null) return example;
  const hex = text.replace(/^0x/i, "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    const found = /^[0-9a-f]*$/.test(hex) ? `${hex.length} hex digits` : `${hex.length} characters`;
    return problem("malformed", `must be 64 hex digits, with or without 0x, and holds ${found}`);
  }
  const scalar = BigInt(`0x${hex}`);
  if (scalar === 0n || scalar >= CURVE_ORDER) return problem("malformed", "is no valid secp256k1 private key");
  const key: PrivateKey = `0x${hex}`;
  return ok(key);
}

/** A 32-byte key as 64 hex digits or base64; the value is its 64 lower-case hex digits. */
export function readKey32(text: string): Reading<Secret> {
  const example = placeholder(text);
  if (example !== null) return example;
  const bytes = storageKeyBytes(text);
  if (bytes === null) return problem("malformed", "must be 32 bytes, as 64 hex digits or as base64");
  return ok(new Secret(toHex(bytes)));
}

/** One or several 32-byte keys, comma-separated. */
export function readKeys32(text: string): Reading<Secret[]> {
  const readings = splitList(text).map(readKey32);
  const problems = readings.flatMap((reading) => (reading.ok ? [] : reading.refusal));
  if (readings.length === 0) return problem("malformed", "holds no key");
  if (problems.length > 0) return { ok: false, refusal: problems };
  return ok(readings.flatMap((reading) => (reading.ok ? [reading.value] : [])));
}

/** A 32-byte public key as 64 hex digits or base64; the value is its 64 lower-case hex digits. */
export function readPublicKey32(text: string): Reading<string> {
  const key = readKey32(text);
  return key.ok ? ok(key.value.reveal()) : key;
}

/** One or several 32-byte public keys, comma-separated, as 64 hex digits or base64; each value is 64 lower-case hex digits. */
export function readPublicKeys32(text: string): Reading<string[]> {
  const keys = readKeys32(text);
  return keys.ok ? ok(keys.value.map((key) => key.reveal())) : keys;
}

/** A BIP-39 phrase by its shape. Its checksum is checked where the keys are derived: the word list is large. */
export function readMnemonic(text: string): Reading<Secret> {
  const words = text.toLowerCase().split(/\s+/);
  if (![12, 15, 18, 21, 24].includes(words.length)) {
    return problem("malformed", `must hold 12, 15, 18, 21 or 24 words and holds ${words.length}`);
  }
  if (!words.every((word) => /^[a-z]{3,8}$/.test(word))) {
    return problem("malformed", "must hold words of 3 to 8 English letters, separated by spaces");
  }
  return ok(new Secret(words.join(" ")));
}

/** Account indices as `0-99,120`; ascending, each once. */
export function readIndices(text: string): Reading<number[]> {
  const indices = new Set<number>();
  const shape = problem("malformed", "must be account indices such as 0-99,120, each range ascending");
  const ranges = splitList(text);
  if (ranges.length === 0) return shape;
  for (const range of ranges) {
    const match = /^(\d{1,10})(?:\s*-\s*(\d{1,10}))?$/.exec(range);
    if (match === null) return shape;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first) return shape;
    if (last > INDEX_MAX) return problem("out-of-range", `must hold indices up to ${INDEX_MAX}`);
    if (last - first >= FLEET_MAX) return problem("out-of-range", `must name at most ${FLEET_MAX} accounts`);
    for (let index = first; index <= last; index++) indices.add(index);
  }
  if (indices.size > FLEET_MAX) return problem("out-of-range", `must name at most ${FLEET_MAX} accounts`);
  return ok([...indices].sort((a, b) => a - b));
}

/** An address: EIP-55, or all in lower case; the value is checksummed. */
export function readAddress(text: string): Reading<Address> {
  const example = placeholder(text);
  if (example !== null) return example;
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) return problem("malformed", "must be 0x and 40 hex digits");
  if (/^0x0{40}$/.test(text)) return problem("malformed", "is the zero address");
  const lower = `0x${text.slice(2).toLowerCase()}` as const;
  const checksummed = getAddress(lower);
  if (text !== lower && text !== checksummed) {
    return problem("malformed", "fails its EIP-55 checksum", "Copy the address again, or write it all in lower case.");
  }
  return ok(checksummed);
}

/** One or several accounts, comma-separated, each once. */
export function readAddresses(text: string): Reading<Address[]> {
  const readings = splitList(text).map(readAddress);
  const problems = readings.flatMap((reading) => (reading.ok ? [] : reading.refusal));
  if (readings.length === 0) return problem("malformed", "holds no address");
  if (problems.length > 0) return { ok: false, refusal: problems };
  return ok([...new Set(readings.flatMap((reading) => (reading.ok ? [reading.value] : [])))]);
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
