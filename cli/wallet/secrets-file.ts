/**
 * Secrets beside the keystore: API keys and tokens in one file, sealed under the keystore's password (scrypt, AES-256-GCM,
 * mode 0600). Which names it holds can be read without the password, what they hold cannot. A changed byte opens nothing.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { Secret } from "../../core/secret.ts";
import { systemCode, usageError } from "../errors.ts";
import { deriveScrypt } from "./keystore.ts";
import { replacePrivate } from "./private-file.ts";

const COST = { N: 262_144, r: 8, p: 1 };
const TAG_BYTES = 16;

const file = z.object({
  format: z.literal("blindference-secrets"),
  version: z.literal(1),
  names: z.array(z.string()),
  salt: z.string().regex(/^[0-9a-f]{64}$/),
  iv: z.string().regex(/^[0-9a-f]{24}$/),
  sealed: z.base64(),
});
const contents = z.record(z.string(), z.string());

/** The names that the file holds, without a password; none where there is no file. Throws CliError (`usage`). */
export async function secretNames(path: string): Promise<readonly string[]> {
  return existsSync(path) ? (await load(path)).names : [];
}

/** What the file holds; nothing where there is none. Throws CliError (`usage`): damaged, or the wrong password. */
export async function openSecrets(path: string, password: Secret): Promise<Record<string, Secret>> {
  if (!existsSync(path)) return {};
  const { names, salt, iv, sealed } = await load(path);
  const bytes = Buffer.from(sealed, "base64");
  const key = await keyFor(password, salt);
  let text: string;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "hex"), { authTagLength: TAG_BYTES });
    decipher.setAAD(headOf(names));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    text = Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString("utf8");
  } catch {
    throw usageError(`The password does not open ${path}, or the file was changed.`, "Check BLF_KEY_PASSWORD.");
  }
  const parsed = contents.parse(JSON.parse(text));
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, new Secret(value)]));
}

/** Writes the file anew, in one step: whoever reads meanwhile sees the old one or the new one. */
export async function saveSecrets(
  path: string,
  password: Secret,
  secrets: Readonly<Record<string, Secret>>,
): Promise<void> {
  await replacePrivate(path, await sealSecrets(password, secrets));
}

/** @returns the file's text */
export async function sealSecrets(password: Secret, secrets: Readonly<Record<string, Secret>>): Promise<string> {
  const names = Object.keys(secrets).sort();
  const salt = randomBytes(32).toString("hex");
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", await keyFor(password, salt), iv);
  cipher.setAAD(headOf(names));
  const plain = JSON.stringify(Object.fromEntries(names.map((name) => [name, secrets[name]?.reveal() ?? ""])));
  const sealed = Buffer.concat([cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
  const stored = {
    format: "blindference-secrets",
    version: 1,
    names,
    salt,
    iv: iv.toString("hex"),
    sealed: sealed.toString("base64"),
  } satisfies z.input<typeof file>;
  return `${JSON.stringify(stored, null, 2)}\n`;
}

async function load(path: string): Promise<z.infer<typeof file>> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw usageError(
      `The secrets file ${path} cannot be read (${systemCode(error) ?? "unknown"}).`,
      "Check its permissions.",
    );
  });
  try {
    return file.parse(JSON.parse(text));
  } catch {
    throw usageError(`${path} is no secrets file, or damaged.`, "Restore it, or write the secrets anew with `init`.");
  }
}

function headOf(names: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(["blindference-secrets", 1, names]));
}

async function keyFor(password: Secret, salt: string): Promise<Buffer> {
  return Buffer.from((await deriveScrypt(password, Buffer.from(salt, "hex"), COST)).slice(2), "hex");
}
