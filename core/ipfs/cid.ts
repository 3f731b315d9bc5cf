/**
 * Content identifiers (protocol §6). A CID comes from the coordinator or from a pinning service and becomes part of a URL,
 * so it is parsed before anything else is done with it. Refused: identity and weak hashes, truncated digests, codecs that
 * hold no file. Invariant: the text of a parsed CID is alphanumeric, canonical and at most CID_TEXT_MAX characters.
 */
import { CID } from "multiformats/cid";
import { sha256, sha512 } from "multiformats/hashes/sha2";
import { ok, type Result, refuse } from "../result.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/** A parsed and accepted CID, version 0 or 1, raw or dag-pb. */
export type Cid = CID;

export interface CidRefusal {
  reason: "malformed" | "too-long" | "codec" | "hash";
  /** One clause for the operator; it never repeats the text, which nobody has vouched for. */
  message: string;
}

/** A SHA-512 CID in base32 takes 110 characters; nothing legitimate is longer. */
export const CID_TEXT_MAX = 128;

/** Multicodec numbers of the two codecs whose blocks are files or parts of files. */
export const RAW = 0x55;
export const DAG_PB = 0x70;

const HASHES = new Map([sha256, sha512].map((hash) => [hash.code as number, hash]));
/** What a full digest measures, so that a truncated and thus weaker one is refused. */
const DIGEST_BYTES = new Map<number, number>([
  [sha256.code, 32],
  [sha512.code, 64],
]);

/**
 * Reads a CID's text: version 0 (`Qm…`) or version 1 in base32, base36 or base58btc, which is what networks and gateways
 * use. `toString()` of the value is the canonical text; the bytes it names may come from any gateway.
 */
export function parseCid(text: string): Result<Cid, CidRefusal> {
  if (text.length > CID_TEXT_MAX) {
    return refuse({ reason: "too-long", message: `is longer than ${CID_TEXT_MAX} characters` });
  }
  // The decoder skips padding (=), which would give one content several names.
  if (!/^[a-zA-Z0-9]+$/.test(text)) return refuse({ reason: "malformed", message: "is not alphanumeric" });
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch {
    return refuse({ reason: "malformed", message: "is not a CID of version 0 or 1" });
  }
  const found = checkCid(cid);
  return found === null ? ok(cid) : refuse(found);
}

/** What is wrong with a decoded CID, a link inside a block for instance, or null when it can be verified. */
export function checkCid(cid: Cid): CidRefusal | null {
  if (cid.code !== RAW && cid.code !== DAG_PB) {
    return { reason: "codec", message: `has codec 0x${cid.code.toString(16)}, not raw or dag-pb` };
  }
  if (DIGEST_BYTES.get(cid.multihash.code) !== cid.multihash.digest.length) {
    return { reason: "hash", message: "does not carry a full SHA-256 or SHA-512 digest" };
  }
  return null;
}

/** True when the block's bytes hash to the CID. A CID with an unaccepted hash matches nothing. */
export async function hashesTo(cid: Cid, block: Uint8Array): Promise<boolean> {
  const hash = HASHES.get(cid.multihash.code);
  if (hash === undefined) return false;
  const { digest } = await hash.digest(block);
  const expected = cid.multihash.digest;
  return digest.length === expected.length && digest.every((byte, index) => byte === expected[index]);
}

/** One name for a block whatever version, base and codec its CID has: gateways may upgrade `Qm…` to version 1. */
export function blockKey(cid: Cid): string {
  return Array.from(cid.multihash.bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
