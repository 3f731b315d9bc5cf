/**
 * The wallet file: Ethereum keystore version 3, which geth and the original read as well, and whose files are read here
 * (scrypt and PBKDF2). Only its text is made and read here; private-file.ts puts it in its place. The private key leaves
 * as a `Secret` only.
 */
import { pbkdf2, randomBytes, scrypt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import * as Hex from "ox/Hex";
import * as Keystore from "ox/Keystore";
import { getAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import * as z from "zod";
import { Secret } from "../../core/secret.ts";
import { systemCode, usageError } from "../errors.ts";

/** geth's standard cost: 256 MiB of memory and about a second. */
const COST = { n: 262_144, r: 8, p: 1, dklen: 32 } as const;
const KDF_MEMORY_MAX = 1024 * 1024 * 1024;
const PBKDF2_ROUNDS_MAX = 10_000_000;

const hex = z
  .string()
  .regex(/^(0x)?([0-9a-fA-F]{2})*$/, "must be hex")
  .transform((text) => text.replace(/^0x/, ""));
const hexOf = (bytes: number) => hex.refine((text) => text.length === 2 * bytes, `must be ${bytes} bytes`);
const crypto = z.object({
  cipher: z.literal("aes-128-ctr"),
  // Old tools left leading zeros of a key out.
  ciphertext: hex.refine((text) => text.length > 0 && text.length <= 64, "must be at most 32 bytes"),
  cipherparams: z.object({ iv: hexOf(16) }),
  mac: hexOf(32),
});
const scryptParams = z.object({ n: z.int(), r: z.int(), p: z.int(), dklen: z.literal(32), salt: hex });
const pbkdf2Params = z.object({
  c: z.int().min(1).max(PBKDF2_ROUNDS_MAX),
  dklen: z.literal(32),
  prf: z.literal("hmac-sha256"),
  salt: hex,
});
const file = z.object({
  address: z.string().optional(),
  // geth writes "crypto", some older tools "Crypto".
  crypto: z.discriminatedUnion("kdf", [
    crypto.extend({ kdf: z.literal("scrypt"), kdfparams: scryptParams }),
    crypto.extend({ kdf: z.literal("pbkdf2"), kdfparams: pbkdf2Params }),
  ]),
  id: z.string().default(""),
  version: z.literal(3),
});
export type KeystoreFile = z.infer<typeof file>;

/** A new private key from the system's random numbers. */
export function newPrivateKey(): Secret<Hex.Hex> {
  return new Secret(generatePrivateKey());
}

/** Seals a private key. @returns the file's text */
export async function sealKeystore(privateKey: Secret<Hex.Hex>, password: Secret): Promise<string> {
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const { n, r, p, dklen } = COST;
  const key = await deriveScrypt(password, salt, { N: n, r, p });
  const sealed = Keystore.encrypt(privateKey.reveal(), key, {
    kdf: "scrypt",
    kdfparams: { n, r, p, dklen, salt: salt.toString("hex") },
    iv: Uint8Array.from(iv),
  });
  const { address } = privateKeyToAccount(privateKey.reveal());
  return `${JSON.stringify({ address: address.slice(2).toLowerCase(), ...sealed }, null, 2)}\n`;
}

/**
 * Opens a keystore. Throws CliError (`usage`): what is wrong with the file, or that the password does not fit it.
 * @param text the file's
 * @param name how errors call it
 */
export async function openKeystore(text: string, password: Secret, name: string): Promise<Secret<Hex.Hex>> {
  const stored = parseKeystore(text, name);
  const key = await keyOf(stored, password, name);
  const privateKey = decrypted(stored, key, name);
  const address = addressOfKey(privateKey, name);
  const named = stored.address === undefined || stored.address === "" ? null : addressIn(stored.address, name);
  if (named !== null && named !== address) {
    throw usageError(`${name}: it says ${named}, but holds the key of ${address}.`, "Use the file as it was written.");
  }
  return new Secret(privateKey);
}

/** The address a keystore names, without opening it; null where it names none. Throws CliError (`usage`). */
export function addressOf(text: string, name: string): string | null {
  const { address } = parseKeystore(text, name);
  return address === undefined || address === "" ? null : addressIn(address, name);
}

/** Reads a keystore file. Throws CliError (`usage`) where there is none, or it may not be read. */
export async function readKeystore(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = systemCode(error) ?? "unknown";
    if (code !== "ENOENT") throw usageError(`The keystore ${path} cannot be read (${code}).`, "Check its permissions.");
    throw usageError(`There is no keystore at ${path}.`, "Run `blindference-edge init`, or set BLF_KEYSTORE.");
  }
}

function parseKeystore(text: string, name: string): KeystoreFile {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw usageError(
      `${name} is not JSON.`,
      "Use a keystore file of version 3, as `init`, geth or the original write it.",
    );
  }
  if (typeof raw === "object" && raw !== null && "Crypto" in raw) raw = { ...raw, crypto: raw.Crypto };
  const parsed = file.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw usageError(
    `${name} is no keystore of version 3: ${issue?.path.join(".") || "it"} ${issue?.message ?? "cannot be read"}.`,
    "Use a keystore file as `init`, geth or the original write it.",
  );
}

/** A MAC over the ciphertext tells a wrong password from a right one; whoever changed the file without it shows too. */
function decrypted(stored: KeystoreFile, key: Hex.Hex, name: string): Hex.Hex {
  try {
    return Hex.padLeft(Keystore.decrypt(stored as Keystore.Keystore, key), 32);
  } catch {
    throw usageError(
      `${name}: the password does not open it, or the file was changed.`,
      "Check BLF_KEY_PASSWORD, or type the password anew.",
    );
  }
}

function addressOfKey(privateKey: Hex.Hex, name: string): string {
  try {
    return privateKeyToAccount(privateKey).address;
  } catch {
    throw usageError(`${name}: what it holds is no private key.`, "Use the file as it was written.");
  }
}

async function keyOf({ crypto: { kdf, kdfparams } }: KeystoreFile, password: Secret, name: string): Promise<Hex.Hex> {
  const salt = Buffer.from(kdfparams.salt, "hex");
  if (kdf === "pbkdf2") {
    const key = await promisify(pbkdf2)(password.reveal(), salt, kdfparams.c, 32, "sha256");
    return `0x${key.toString("hex")}`;
  }
  const { n, r, p } = kdfparams;
  const sound = Number.isInteger(Math.log2(n)) && n > 1 && r > 0 && p > 0 && 128 * n * r <= KDF_MEMORY_MAX && p <= 64;
  if (!sound) throw usageError(`${name}: its scrypt parameters are out of range.`, "Use the file as it was written.");
  return deriveScrypt(password, salt, { N: n, r, p });
}

/** @returns 32 bytes */
export async function deriveScrypt(
  password: Secret,
  salt: Uint8Array,
  cost: { N: number; r: number; p: number },
): Promise<Hex.Hex> {
  const { N, r, p } = cost;
  // OpenSSL refuses N >= 2^(16 r), which is what Python's eth-account writes (N = 2^18, r = 1).
  if (16 * r < 32 && N >= 2 ** (16 * r)) {
    const [key] = Keystore.scrypt({ password: password.reveal(), salt: Uint8Array.from(salt), n: N, r, p });
    return Hex.from(typeof key === "function" ? key() : key);
  }
  const run = promisify<string, Uint8Array, number, object, Buffer>(scrypt);
  const key = await run(password.reveal(), salt, 32, { ...cost, maxmem: 128 * r * (N + p + 2) });
  return `0x${key.toString("hex")}`;
}

function addressIn(text: string, name: string): string {
  try {
    return getAddress(text.startsWith("0x") ? text : `0x${text}`);
  } catch {
    throw usageError(`${name}: its address cannot be read.`, "Use the file as it was written.");
  }
}
