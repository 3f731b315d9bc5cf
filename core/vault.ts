/**
 * Wraps secrets at rest: AES-256-GCM under a key derived for one purpose from a storage key, bound to the row's identity.
 * An envelope names its key, so keys can be rotated: the first seals, all open. It refuses an unknown key, a changed
 * byte, another purpose and another row with the same `storage-key` error. Invariant: nothing is opened unauthenticated.
 */
import { NodeError } from "./errors.ts";
import type { RandomBytes } from "./ports.ts";
import type { Secret } from "./secret.ts";

export interface VaultInit {
  /** The current key first, then previous ones; each 32 bytes as 64 hex digits or base64. */
  keys: readonly Secret[];
  random: RandomBytes;
}

export interface Vault {
  /**
   * Wraps a secret.
   * @param purpose what kind of secret it is, a constant such as `output-key`
   * @param identity the row it belongs to, such as `ADDRESS/JOB`; the same is needed to open it
   * @returns `v1.<key id>.<base64url of iv ‖ ciphertext ‖ tag>`
   */
  seal(purpose: string, identity: string, plaintext: Uint8Array): Promise<string>;
  /** Unwraps an envelope. Throws NodeError `storage-key` when no key fits or it was made for something else. */
  open(purpose: string, identity: string, envelope: string): Promise<Uint8Array<ArrayBuffer>>;
  /** True when the envelope was sealed under a previous key: open it and seal it again. Throws like `open`. */
  needsRewrap(envelope: string): Promise<boolean>;
}

const VERSION = "v1";
const KEY_BYTES = 32;
/** NIST SP 800-38D, 8.2.2: a random 96-bit IV, good for 2^32 messages under one key. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const INFO = "blindference-edge/vault/1/";
/** Outside of `INFO`, so that no purpose can derive it. */
const ID_INFO = "blindference-edge/vault-key-id/1";

type RawKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Everything is derived at first use: a Worker may build its vault in the global scope, where nothing may be awaited. */
interface StorageKey {
  id(): Promise<string>;
  aesKey(purpose: string): Promise<RawKey>;
}

interface Envelope {
  keyId: string;
  iv: Uint8Array<ArrayBuffer>;
  /** Ciphertext and tag. */
  sealed: Uint8Array<ArrayBuffer>;
}

/** A vault over one or more storage keys. Throws NodeError `storage-key` on an empty list or a malformed key. */
export function createVault({ keys, random }: VaultInit): Vault {
  const [current, ...previous] = keys.map(loadKey);
  if (current === undefined) throw badKey("no storage key is set");
  const all = [current, ...previous];

  return {
    async seal(purpose, identity, plaintext) {
      const iv = random(IV_BYTES);
      const key = await current.aesKey(purpose);
      const sealed = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv, additionalData: binding(purpose, identity) },
        key,
        Uint8Array.from(plaintext),
      );
      return `${VERSION}.${await current.id()}.${toBase64Url(concat(iv, new Uint8Array(sealed)))}`;
    },

    async open(purpose, identity, text) {
      const { keyId, iv, sealed } = parseEnvelope(text);
      const key = await (await keyOfId(all, keyId)).aesKey(purpose);
      try {
        const additionalData = binding(purpose, identity);
        return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, sealed));
      } catch {
        throw unreadable("a stored secret was changed, or belongs to another row");
      }
    },

    async needsRewrap(text) {
      return (await keyOfId(all, parseEnvelope(text).keyId)) !== current;
    },
  };
}

/** The 32 bytes behind 64 hex digits, base64 or base64url; null when the text is none of them. */
export function storageKeyBytes(text: string): Uint8Array<ArrayBuffer> | null {
  const hex = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text)?.[1];
  if (hex !== undefined) {
    return Uint8Array.from({ length: KEY_BYTES }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  }
  const bytes = fromBase64Url(text.replace(/=$/, "").replaceAll("+", "-").replaceAll("/", "_"));
  return bytes?.length === KEY_BYTES ? bytes : null;
}

function loadKey(secret: Secret): StorageKey {
  const bytes = storageKeyBytes(secret.reveal());
  if (bytes === null) throw badKey("a storage key is not 32 bytes of hex or base64");
  const material = once(() => crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits", "deriveKey"]));
  const derived = new Map<string, () => Promise<RawKey>>();
  return {
    id: once(async () => identify(await material())),
    aesKey(purpose) {
      const known = derived.get(purpose) ?? once(async () => deriveAesKey(await material(), purpose));
      derived.set(purpose, known);
      return known();
    },
  };
}

/** Names a key without telling anything about it: the digest of a key derived for nothing else. */
async function identify(material: RawKey): Promise<string> {
  const idKey = await crypto.subtle.deriveBits(hkdf(ID_INFO), material, 256);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", idKey));
  return Array.from(digest.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function deriveAesKey(material: RawKey, purpose: string): Promise<RawKey> {
  const aes = { name: "AES-GCM", length: 256 };
  return crypto.subtle.deriveKey(hkdf(INFO + purpose), material, aes, false, ["encrypt", "decrypt"]);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

async function keyOfId(keys: readonly StorageKey[], keyId: string): Promise<StorageKey> {
  for (const key of keys) {
    if ((await key.id()) === keyId) return key;
  }
  throw new NodeError("storage-key", `a stored secret is wrapped under the storage key ${keyId}, which is not set`, {
    retry: "never",
    hint: `Put the key whose id is ${keyId} into BLF_STORAGE_KEY_PREVIOUS, or restore it as BLF_STORAGE_KEY.`,
  });
}

function hkdf(info: string) {
  return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: new TextEncoder().encode(info) };
}

/** The associated data. JSON keeps the parts apart: ("a", "b/c") and ("a/b", "c") differ. */
function binding(purpose: string, identity: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new TextEncoder().encode(JSON.stringify([VERSION, purpose, identity])));
}

function parseEnvelope(text: string): Envelope {
  const match = /^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/.exec(text);
  const bytes = fromBase64Url(match?.[2] ?? "");
  if (match?.[1] === undefined || bytes === null || bytes.length < IV_BYTES + TAG_BYTES) {
    throw unreadable("a stored secret is not an envelope of this version");
  }
  return { keyId: match[1], iv: bytes.slice(0, IV_BYTES), sealed: bytes.slice(IV_BYTES) };
}

function toBase64Url(bytes: Uint8Array): string {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Null unless the text is the one canonical form of its bytes (RFC 4648, 3.5). */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) return null;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  return toBase64Url(bytes) === text ? bytes : null;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function badKey(message: string): NodeError {
  return new NodeError("storage-key", message, {
    retry: "never",
    hint: "Set BLF_STORAGE_KEY to the output of `openssl rand -hex 32` and keep it safe.",
  });
}

function unreadable(message: string): NodeError {
  return new NodeError("storage-key", message, {
    retry: "never",
    hint: "Restore the row from a backup, or give up what it belongs to; it cannot be opened with any key.",
  });
}
