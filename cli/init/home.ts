/** What is in the folder already: the wallet, the settings file and the names of sealed secrets. Opens nothing. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { readEnv, type Texts } from "../../core/settings/env.ts";
import { readEnvText } from "../env-file.ts";
import { filesIn } from "../environment.ts";
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
  const envPath = filesIn(dir).envFile;
  const envText = await readEnvText(envPath);
  const parsed = parseEnv(envText);
  const { keystorePath, secretsPath } = filesIn(dir, keystore ?? parsed.BLF_KEYSTORE);
  const text = existsSync(keystorePath) ? await readKeystore(keystorePath) : null;
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
