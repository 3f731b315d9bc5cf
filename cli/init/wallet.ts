/**
 * Where a wallet's key comes from: a file with its hex digits, a keystore of geth or the original, BLF_PRIVATE_KEY. A key is
 * never taken from a command line, and never repeated in a message.
 */
import { readFile } from "node:fs/promises";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { Secret } from "../../core/secret.ts";
import { CliError, usageError } from "../errors.ts";
import { problemWith } from "../lenient-settings.ts";
import { openKeystore, readKeystore } from "../wallet/keystore.ts";

/** Why a text is not one private key; null where it is. */
export function keyProblem(text: string): string | null {
  if (text.trim() === "") return "It holds nothing.";
  if (/[,\n]/.test(text.trim())) return "It holds several keys: a keystore takes one.";
  return problemWith("BLF_PRIVATE_KEY", text);
}

/** @param where how errors call its source. Throws CliError (`usage`) */
export function keyOf(text: string, where: string): Secret<Hex> {
  const problem = keyProblem(text);
  if (problem !== null)
    throw usageError(`${where}: ${problem}`, "Give one private key of a testnet account, 64 hex digits.");
  return new Secret<Hex>(
    `0x${text
      .trim()
      .replace(/^["'`]|["'`]$/g, "")
      .replace(/^0x/i, "")
      .toLowerCase()}`,
  );
}

export async function keyInFile(path: string): Promise<Secret<Hex>> {
  const text = await readFile(path, "utf8").catch(() => {
    throw usageError(
      `--private-key-file: ${path} cannot be read.`,
      "Name a file that holds the private key's hex digits.",
    );
  });
  return keyOf(text, path);
}

/** Opens another tool's keystore. Throws CliError (`usage`): no such file, damaged, or another password. */
export async function keyInKeystore(path: string, password: Secret): Promise<Secret<Hex>> {
  return openKeystore(await readKeystore(path), password, path);
}

export function addressOfKey(key: Secret<Hex>): string {
  return privateKeyToAccount(key.reveal()).address;
}

/** A wallet that is there stays: another key for the same folder is refused, the same one changes nothing. */
export function refuseOther(present: string, key: Secret<Hex>, keystorePath: string): void {
  const other = addressOfKey(key);
  if (other === present) return;
  throw new CliError(`${keystorePath} holds the wallet ${present}, and ${other} would be another one.`, {
    fix: "Move that file away first, or choose another folder with --dir.",
    exit: "refused",
  });
}
