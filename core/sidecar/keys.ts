/**
 * Ed25519 by WebCrypto, as both sides of the sidecar's wire use it. Keys are 64 hex digits: a 32-byte seed or a 32-byte
 * public key. They are imported at first use, because a Worker may hold them in its global scope, where nothing can be
 * awaited. Invariant: a seed is never exportable once it signs.
 */
import { bytesToHex, hexToBytes } from "viem/utils";
import type { Secret } from "../secret.ts";

export interface SigningKey {
  /** The `keyid` of its signatures. */
  id: string;
  algorithm: "ed25519";
  sign(data: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

export interface VerifyingKey {
  id: string;
  algorithm: "ed25519";
  verify(data: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

type RawKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const ALGORITHM = { name: "Ed25519" };
const SIGNATURE_BYTES = 64;
/** PKCS #8 of an Ed25519 seed is this and the seed (RFC 8410, 7). */
const PKCS8_HEAD = "302e020100300506032b657004220420";

/** @param seed 64 hex digits */
export function signingKey(id: string, seed: Secret): SigningKey {
  const key = once(() => importSeed(seed, false));
  return {
    id,
    algorithm: "ed25519",
    sign: async (data) => new Uint8Array(await crypto.subtle.sign(ALGORITHM, await key(), Uint8Array.from(data))),
  };
}

/** @param publicKey 64 hex digits */
export function verifyingKey(id: string, publicKey: string): VerifyingKey {
  const key = once(() => crypto.subtle.importKey("raw", bytesOf(publicKey), ALGORITHM, false, ["verify"]));
  return {
    id,
    algorithm: "ed25519",
    // Platforms differ in what they make of a signature that is none by its length.
    verify: async (data, signature) =>
      signature.length === SIGNATURE_BYTES &&
      crypto.subtle.verify(ALGORITHM, await key(), Uint8Array.from(signature), Uint8Array.from(data)),
  };
}

/** The public key of a seed, 64 lower-case hex digits. */
export async function publicKeyOf(seed: Secret): Promise<string> {
  const jwk = await crypto.subtle.exportKey("jwk", await importSeed(seed, true));
  const x = "x" in jwk && typeof jwk.x === "string" ? jwk.x : "";
  const binary = atob(x.replaceAll("-", "+").replaceAll("_", "/"));
  return bytesToHex(Uint8Array.from(binary, (char) => char.charCodeAt(0))).slice(2);
}

function importSeed(seed: Secret, extractable: boolean): Promise<RawKey> {
  return crypto.subtle.importKey("pkcs8", bytesOf(PKCS8_HEAD + seed.reveal()), ALGORITHM, extractable, ["sign"]);
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hexToBytes(`0x${hex}`));
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
