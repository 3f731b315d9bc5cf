/**
 * The settings a command works with: the process's environment, then the settings file (`.env` in BLF_CONFIG_DIR or here),
 * then the secrets beside the keystore. The keystore and the secrets are opened only when a command needs them, with
 * BLF_KEY_PASSWORD or by asking. Texts of secrets stay in `Secret` until they are handed to what needs them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import type { Hex } from "viem";
import { Secret } from "../core/secret.ts";
import { SETTING_NAMES } from "../core/settings/settings.ts";
import { SIDECAR_SETTING_NAMES } from "../core/settings/sidecar.ts";
import { usageError } from "./errors.ts";
import type { Io } from "./io.ts";
import { redactor } from "./redactor.ts";
import { openKeystore, readKeystore } from "./wallet/keystore.ts";
import { passwordOf } from "./wallet/password.ts";
import { openSecrets } from "./wallet/secrets-file.ts";

/** Read by the command alone: nothing for the Worker. */
export const CLI_SETTINGS = ["BLF_KEY_PASSWORD", "BLF_KEYSTORE", "BLF_CONFIG_DIR", "BLF_NODE_URL"] as const;

/** A node's own: whoever holds one can read every prompt of the node. */
const KEYS = ["BLF_PRIVATE_KEY", "BLF_MNEMONIC"];

export interface Environment {
  /** Where the settings file, the keystore and the secrets are. */
  readonly dir: string;
  readonly envFile: string;
  readonly keystorePath: string;
  readonly secretsPath: string;
  /** A setting of the environment or the settings file; empty counts as absent. */
  get(name: string): string | undefined;
  /** What the Worker would be given without opening anything: known settings only. */
  bindings(): Record<string, string>;
  /** The same with the secrets and the wallet's key, which are opened for it. */
  unlocked(): Promise<Record<string, string>>;
  /** What the Worker is given: all of that, but no key of a node's where the sidecar holds it. */
  forWorker(): Promise<Record<string, string>>;
  /** What the sidecar is given: all of that with its own settings. */
  forSidecar(): Promise<Record<string, string>>;
  /** A secret: from the settings, else from the secrets file, which is opened where it is there. */
  secret(name: string): Promise<Secret | null>;
  /** The wallet: BLF_PRIVATE_KEY, else the keystore. Throws CliError where there is neither. */
  privateKey(): Promise<Secret<Hex>>;
  /** The keystore's key, whatever BLF_PRIVATE_KEY says. Throws CliError where there is no keystore, or it stays closed. */
  keystoreKey(): Promise<Secret<Hex>>;
}

/** The names of the files in a folder that is a node's. */
export function filesIn(dir: string, keystore = "keystore.json") {
  return {
    envFile: join(dir, ".env"),
    keystorePath: resolve(dir, keystore),
    secretsPath: join(dir, "secrets.json"),
  };
}

/** @param envFile the settings file that `--env-file` names. Throws CliError (`usage`) where that is not there */
export function readEnvironment(io: Io, envFile?: string): Environment {
  const dir = resolve(process.env.BLF_CONFIG_DIR || ".");
  const path = envFile === undefined ? filesIn(dir).envFile : resolve(envFile);
  if (envFile !== undefined && !existsSync(path)) throw usageError(`--env-file: there is no file ${path}.`);
  const texts: Record<string, string | undefined> = { ...(existsSync(path) ? readEnvFile(path) : {}), ...process.env };
  const get = (name: string) => texts[name]?.trim() || undefined;
  const { keystorePath, secretsPath } = filesIn(dir, get("BLF_KEYSTORE"));

  // Whatever is read here is blotted out of everything that is printed of others' words.
  redactor.learn(texts);
  const password = once(async () => {
    const given = await passwordOf(io, get("BLF_KEY_PASSWORD"), keystorePath);
    redactor.learnSecrets(given);
    return given;
  });
  const secrets = once(async (): Promise<Record<string, Secret>> => {
    const opened = existsSync(secretsPath) ? await openSecrets(secretsPath, await password()) : {};
    redactor.learnSecrets(...Object.values(opened));
    return opened;
  });
  const keystoreKey = once(async () => {
    const key = await openKeystore(await readKeystore(keystorePath), await password(), keystorePath);
    redactor.learnSecrets(key);
    return key;
  });

  const chosen = (wanted: (name: string) => boolean): Record<string, string> =>
    Object.fromEntries(
      Object.entries(texts).flatMap(([name, text]) => (text?.trim() && wanted(name) ? [[name, text]] : [])),
    );
  const bindings = () =>
    chosen(
      (name) =>
        (SETTING_NAMES.includes(name) || name.startsWith("BLF_")) &&
        ![...CLI_SETTINGS, ...SIDECAR_SETTING_NAMES].includes(name),
    );
  const withSecrets = async (): Promise<Record<string, string>> => {
    const beside = Object.entries(await secrets()).map(([name, secret]) => [name, secret.reveal()]);
    return { ...Object.fromEntries(beside), ...bindings() };
  };
  const unlocked = async () => {
    const known = await withSecrets();
    if (known.BLF_PRIVATE_KEY || known.BLF_MNEMONIC || !existsSync(keystorePath)) return known;
    return { ...known, BLF_PRIVATE_KEY: (await keystoreKey()).reveal() };
  };
  return {
    dir,
    envFile: path,
    keystorePath,
    secretsPath,
    get,
    bindings,
    keystoreKey,
    unlocked,
    async forWorker() {
      if (get("BLF_EXECUTOR")?.toLowerCase() !== "sidecar") return unlocked();
      const known = await withSecrets();
      for (const name of KEYS) delete known[name];
      return known;
    },
    forSidecar: async () => ({ ...(await unlocked()), ...chosen((name) => SIDECAR_SETTING_NAMES.includes(name)) }),
    async secret(name) {
      const given = get(name);
      return given === undefined ? ((await secrets())[name] ?? null) : new Secret(given);
    },
    async privateKey() {
      const given = get("BLF_PRIVATE_KEY");
      if (given === undefined) return keystoreKey();
      if (!/^(0x)?[0-9a-fA-F]{64}$/.test(given)) {
        throw usageError("BLF_PRIVATE_KEY is not one private key of 64 hex digits.", "Set one key, or use a keystore.");
      }
      return new Secret<Hex>(`0x${given.replace(/^0x/, "")}`);
    },
  };
}

function readEnvFile(path: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(path, "utf8"));
  } catch (error) {
    throw usageError(
      `The settings file ${path} cannot be read: ${error instanceof Error ? error.message : "unknown"}.`,
    );
  }
}

/** Asks once; also for those that ask while the answer is on its way. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
