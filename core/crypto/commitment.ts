/**
 * What a node commits to (protocol §4): a hash over the output's CID and the normalised answer. The nodes of a quorum
 * compare these strings, so whitespace is Python's, not JavaScript's, and hex is lowercase without 0x.
 */
import { hexToBytes } from "viem/utils";
import { sha256, sha256Hex } from "./sha256.ts";

/** Code points, ends included, that Python takes for whitespace in text (protocol §4). U+FEFF is not among them. */
const PYTHON_WHITESPACE = [
  [0x09, 0x0d],
  [0x1c, 0x20],
  [0x85, 0x85],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
] as const;

const WHITESPACE_RUN = new RegExp(
  `[${PYTHON_WHITESPACE.map(([from, to]) => String.fromCharCode(from, 0x2d, to)).join("")}]+`,
  "g",
);

/** The answer stripped, with every run of Python's whitespace as one space. */
export function normalizeOutput(text: string): string {
  return text.replace(WHITESPACE_RUN, " ").replace(/^ | $/g, "");
}

/** SHA-256 of the normalised answer, 64 lowercase hex digits: all that a commitment needs besides the CID. */
export async function answerDigest(outputText: string): Promise<string> {
  return sha256Hex(normalizeOutput(outputText));
}

/**
 * The commitment from the answer's digest, so that the answer itself need not be kept.
 * @param answerDigestHex 64 hex digits, no 0x; anything else throws RangeError
 * @returns 64 lowercase hex digits, no 0x
 */
export async function commitmentFromDigest(outputCid: string, answerDigestHex: string): Promise<string> {
  if (!/^[0-9a-fA-F]{64}$/.test(answerDigestHex)) throw new RangeError("an answer digest has 64 hex digits");
  const both = new Uint8Array(64);
  both.set(await sha256(outputCid));
  both.set(hexToBytes(`0x${answerDigestHex}`), 32);
  return sha256Hex(both);
}

/** `SHA-256(SHA-256(cid) ‖ SHA-256(normalised answer))`, 64 lowercase hex digits, no 0x (protocol §4). */
export async function commitment(outputCid: string, outputText: string): Promise<string> {
  return commitmentFromDigest(outputCid, await answerDigest(outputText));
}
