/** What is in the folder already: the wallet, the settings file and the names of sealed secrets. Opens nothing. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { readEnv, type Texts } from "../../core/settings/env.ts";
import { addressOf, readKeystore } from "../wallet/keystore.ts";

export interface Home {
  dir: string;
  envPath: string;
  keystorePath: string;
  secretsPath: string;
  /** The settings file's text; empty where there is none. */
  envText: string;
  /** What it sets, by canonical name. */
  texts: Texts;
  /** The wallet's file, where there is one. */
  keystore: { text: string; address: string | null } | null;
  hasSecrets: boolean;
}

/** @param keystore BLF_KEYSTORE, relative to the folder */
export async function readHome(folder: string, keystore?: string): Promise<Home> {
  const dir = resolve(folder);
  const envPath = join(dir, ".env");
  const envText = existsSync(envPath) ? await readFile(envPath, "utf8") : "";
  const parsed = parseEnv(envText);
  const keystorePath = resolve(dir, keystore ?? parsed.BLF_KEYSTORE ?? "keystore.json");
  const text = existsSync(keystorePath) ? await readKeystore(keystorePath) : null;
  const secretsPath = join(dir, "secrets.json");
  return {
    dir,
    envPath,
    keystorePath,
    secretsPath,
    envText,
    texts: readEnv(parsed).texts,
    keystore: text === null ? null : { text, address: addressOf(text, keystorePath) },
    hasSecrets: existsSync(secretsPath),
  };
}
