/**
 * MakeCredential (TPM Library, part 1, 24): wraps a secret so that only the TPM with the given endorsement key gives it
 * out, and only when a key with the given name is in it. Whoever answers with the secret has shown that the attestation key is
 * in that TPM. RSA endorsement keys of the common template; others are refused. The secret must be used once.
 */
import type { RandomBytes } from "../ports.ts";
import { type Bytes, concat, MalformedEvidence, sized, u32 } from "./bytes.ts";
import { ATTRIBUTE, type TpmPublic } from "./tpm-structures.ts";
import { rsaJwk } from "./tpm-verify.ts";

/** As tpm2_activatecredential reads it. */
export interface Credential {
  /** TPMS_ID_OBJECT. */
  idObject: Bytes;
  /** TPM2B_ENCRYPTED_SECRET's content. */
  encryptedSecret: Bytes;
}

/** A credential is as long as a digest at most. */
export const MAX_SECRET_BYTES = 32;
const SEED_BYTES = 32;
const BLOCK_BYTES = 16;

/**
 * @param akName `nameOf` the attestation key
 * @param secret 1…32 bytes, random
 * @throws MalformedEvidence for an endorsement key that nothing can be wrapped for
 */
export async function makeCredential(
  ek: TpmPublic,
  akName: Bytes,
  secret: Uint8Array,
  random: RandomBytes,
): Promise<Credential> {
  if (ek.kind !== "rsa" || ek.wrapBits !== 128 || (ek.attributes & ATTRIBUTE.decrypt) === 0) {
    throw new MalformedEvidence("the endorsement key is not an RSA key that wraps with AES-128");
  }
  if (secret.length === 0 || secret.length > MAX_SECRET_BYTES) {
    throw new RangeError("a credential's secret has 1 to 32 bytes");
  }
  const seed = random(SEED_BYTES);
  const encryptedSecret = await wrapSeed(ek, seed);
  const symmetricKey = await kdfA(seed, "STORAGE", akName, 128);
  const encrypted = await aesCfb(symmetricKey, sized(secret));
  const hmacKey = await kdfA(seed, "INTEGRITY", new Uint8Array(), 256);
  const integrity = await hmac(hmacKey, concat(encrypted, akName));
  return { idObject: concat(sized(integrity), encrypted), encryptedSecret };
}

/** The file that tpm2_activatecredential takes: magic, version, both structures with their lengths. */
export function credentialFile({ idObject, encryptedSecret }: Credential): Bytes {
  return concat(u32(0xbadcc0de), u32(1), sized(idObject), sized(encryptedSecret));
}

/** OAEP with the label that says what the seed is for (part 1, B.10.4). */
async function wrapSeed(ek: { modulus: Bytes; exponent: number }, seed: Bytes): Promise<Bytes> {
  const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", rsaJwk(ek), algorithm, false, ["encrypt"]);
  const label = new TextEncoder().encode("IDENTITY\0");
  return new Uint8Array(await crypto.subtle.encrypt({ name: "RSA-OAEP", label }, key, seed));
}

/** KDFa (part 1, 11.4.10.2) for at most one block of SHA-256. */
async function kdfA(key: Bytes, label: string, context: Uint8Array, bits: 128 | 256): Promise<Bytes> {
  const message = concat(u32(1), new TextEncoder().encode(`${label}\0`), context, u32(bits));
  return (await hmac(key, message)).slice(0, bits / 8);
}

async function hmac(key: Bytes, message: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}

/** CFB with 128-bit blocks and a zero vector. WebCrypto has none, so each block's key stream comes from one CBC block. */
async function aesCfb(key: Bytes, plaintext: Bytes): Promise<Bytes> {
  const aes = await crypto.subtle.importKey("raw", key, "AES-CBC", false, ["encrypt"]);
  const zero = new Uint8Array(BLOCK_BYTES);
  let previous: Bytes = zero;
  const blocks: Bytes[] = [];
  for (let at = 0; at < plaintext.length; at += BLOCK_BYTES) {
    const cbc = await crypto.subtle.encrypt({ name: "AES-CBC", iv: zero }, aes, previous);
    const stream = new Uint8Array(cbc);
    const block = plaintext.slice(at, at + BLOCK_BYTES).map((byte, index) => byte ^ (stream[index] ?? 0));
    blocks.push(block);
    previous = block;
  }
  return concat(...blocks);
}
