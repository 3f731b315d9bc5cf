/**
 * Sealed prompts and answers (protocol §3): AES-256-GCM as `iv (12) ‖ tag (16) ‖ ciphertext`. The tag comes before the
 * ciphertext, unlike in WebCrypto's output. It opens nothing unauthenticated, and its errors hold no byte of a blob.
 */
import { NodeError } from "../errors.ts";
import { type RandomBytes, systemRandom } from "../ports.ts";

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = IV_BYTES + TAG_BYTES;

/**
 * Encrypts a text's UTF-8.
 * @param key 32 bytes, used for one text only; another length throws RangeError
 */
export async function sealBlob(
  text: string,
  key: Uint8Array,
  random: RandomBytes = systemRandom,
): Promise<Uint8Array<ArrayBuffer>> {
  const iv = random(IV_BYTES);
  const aesKey = await importKey(key, "encrypt");
  const sealed = new Uint8Array(
    await crypto.subtle.encrypt({ name: "AES-GCM", iv }, aesKey, new TextEncoder().encode(text)),
  );
  const tagAt = sealed.length - TAG_BYTES;
  const blob = new Uint8Array(IV_BYTES + sealed.length);
  blob.set(iv);
  blob.set(sealed.subarray(tagAt), IV_BYTES);
  blob.set(sealed.subarray(0, tagAt), HEAD_BYTES);
  return blob;
}

/**
 * Decrypts a blob to its text, byte for byte: a leading U+FEFF stays.
 * @param key 32 bytes; another length throws RangeError
 * @throws NodeError `prompt-unreadable` when the blob is under 28 bytes, its tag does not fit or it is not UTF-8
 */
export async function openBlob(blob: Uint8Array, key: Uint8Array): Promise<string> {
  if (blob.length < HEAD_BYTES) {
    throw unreadable(`the blob has ${blob.length} bytes, and at least ${HEAD_BYTES} are needed`);
  }
  const aesKey = await importKey(key, "decrypt");
  const sealed = new Uint8Array(blob.length - IV_BYTES);
  sealed.set(blob.subarray(HEAD_BYTES));
  sealed.set(blob.subarray(IV_BYTES, HEAD_BYTES), blob.length - HEAD_BYTES);
  const iv = Uint8Array.from(blob.subarray(0, IV_BYTES));
  const plaintext = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aesKey, sealed).catch(() => {
    throw unreadable("the blob does not fit its key or was changed");
  });
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plaintext);
  } catch {
    throw unreadable("the blob's content is not UTF-8 text");
  }
}

function importKey(key: Uint8Array, usage: "encrypt" | "decrypt") {
  if (key.length !== KEY_BYTES) throw new RangeError(`a blob key has ${KEY_BYTES} bytes`);
  return crypto.subtle.importKey("raw", Uint8Array.from(key), "AES-GCM", false, [usage]);
}

function unreadable(message: string): NodeError {
  return new NodeError("prompt-unreadable", message, {
    retry: "never",
    hint: "The user's prompt and key do not belong together, or the blob was damaged. Nothing to do on this node.",
  });
}
