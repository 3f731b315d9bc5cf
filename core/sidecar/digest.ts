/**
 * `Content-Digest` (RFC 9530) with SHA-256 alone. Invariant: a header fits a body only if it is, character for
 * character, the one this file makes of it: other algorithms, parameters, members and spellings are refused.
 */
import { sha256 } from "../crypto/sha256.ts";

/** `sha-256=:BASE64:` of the content; of no bytes where there is none. */
export async function contentDigest(content: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await sha256(content);
  return `sha-256=:${btoa(Array.from(digest, (byte) => String.fromCharCode(byte)).join(""))}:`;
}

/** Nothing secret is compared here: the digest travels beside the content. */
export async function digestFits(header: string | null, content: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return header !== null && header === (await contentDigest(content));
}
