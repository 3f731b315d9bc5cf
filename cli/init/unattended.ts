/**
 * `init` without a person: everything comes from flags, the environment and what is in the folder; nothing is asked. Refuses
 * what it would have to guess, and whatever cannot be read, before anything is written.
 */
import { readFile } from "node:fs/promises";
import { Secret } from "../../core/secret.ts";
import { readEnv } from "../../core/settings/env.ts";
import { backendOf, readModels } from "../../core/settings/model.ts";
import type { SettingName } from "../../core/settings/schema.ts";
import { usageError } from "../errors.ts";
import { problemWith } from "../lenient-settings.ts";
import { newPrivateKey, openKeystore } from "../wallet/keystore.ts";
import { passwordProblem } from "../wallet/password.ts";
import type { Home } from "./home.ts";
import type { OriginalConfig } from "./original-config.ts";
import { type Answers, PLACES, type Place } from "./plan.ts";
import { addressOfKey, keyInFile, keyInKeystore, keyOf, refuseOther } from "./wallet.ts";

export interface InitFlags {
  privateKeyFile?: string;
  import?: string;
  importPasswordFile?: string;
  models?: string;
  roles?: string;
  secrets?: string;
}

export interface Given {
  home: Home;
  flags: InitFlags;
  /** The process's environment. */
  env: Readonly<Record<string, string | undefined>>;
  original: OriginalConfig | null;
}

/** Of the command, or of one run only. */
const NOT_STORED: readonly string[] = [
  "BLF_PRIVATE_KEY",
  "BLF_MNEMONIC",
  "BLF_NODE_INDICES",
  "BLF_KEY_PASSWORD",
  "BLF_KEYSTORE",
  "BLF_CONFIG_DIR",
];

const NEEDS = { groq: "GROQ_API_KEY", gemini: "GOOGLE_API_KEY", openai: "OPENAI_BASE_URL" } as const;

/** @param known what is set already, secrets included, by name */
export async function answersOf(given: Given, password: Secret, known: ReadonlySet<string>): Promise<Answers> {
  const texts = textsOf(given, known);
  refuseFaulty(texts);
  return {
    privateKey: await walletOf(given, password),
    password,
    texts,
    removed: [],
    place: placeOf(given.flags.secrets),
  };
}

/** BLF_KEY_PASSWORD, fit for a new keystore where one is to be made. Throws CliError (`usage`) */
export function givenPassword({ home, env }: Given): Secret {
  const text = env.BLF_KEY_PASSWORD?.trim();
  if (!text) {
    throw usageError("BLF_KEY_PASSWORD is not set: it seals the wallet.", "Set it, or run `init` on a terminal.");
  }
  const problem = home.keystore === null ? passwordProblem(text) : null;
  if (problem !== null) throw usageError(`BLF_KEY_PASSWORD: ${problem}`, "Choose a longer password.");
  return new Secret(text);
}

/** What the environment and the flags set, by canonical name. */
export function textsOf({ env, flags, original }: Given, known: ReadonlySet<string>): Answers["texts"] {
  const fromEnv = Object.entries(readEnv(env).texts).filter(([name]) => !NOT_STORED.includes(name));
  const texts: Answers["texts"] = { ...original?.settings, ...Object.fromEntries(fromEnv) };
  if (flags.models !== undefined) texts.BLF_MODELS = flags.models;
  if (flags.roles !== undefined) texts.BLF_ROLES = flags.roles;
  const has = (name: SettingName) => texts[name] !== undefined || known.has(name);
  if (!has("BLF_MODELS") && original !== null) {
    const models = runnable(original.models, has);
    if (models.length > 0) texts.BLF_MODELS = models.join(",");
  }
  // A leader without a pinning token would be a fault of the settings.
  if (!has("BLF_ROLES") && !has("PINATA_JWT")) texts.BLF_ROLES = "verifier";
  return texts;
}

/** Of these models those that something here can run. */
export function runnable(models: readonly string[], has: (name: SettingName) => boolean): string[] {
  return models.filter((id) => {
    const backend = backendOf(id);
    return backend !== "mock" && readModels(id).ok && has(NEEDS[backend]);
  });
}

/** Why a model is not among the runnable ones, and what to do about it: the end of a sentence. */
export function whatItNeeds(id: string): string {
  const backend = backendOf(id);
  if (backend === "mock") return "a mock is served only where BLF_MODELS lists it.";
  if (!readModels(id).ok) return "that is no model id.";
  return `set ${NEEDS[backend]} and run \`init\` again.`;
}

export function placeOf(text = "sealed"): Place {
  const place = PLACES.find((known) => known === text);
  if (place === undefined) throw usageError(`--secrets must be one of ${PLACES.join(", ")}.`);
  return place;
}

/** Throws CliError (`usage`) with all that cannot be read. */
export function refuseFaulty(texts: Answers["texts"]): void {
  const allowHttp = texts.BLF_ALLOW_HTTP?.toLowerCase() === "true";
  const problems = Object.entries(texts).flatMap(
    ([name, text]) => problemWith(name as SettingName, text, allowHttp) ?? [],
  );
  if (problems.length === 0) return;
  throw usageError(problems.join("\n"), "Correct them and run `init` again; nothing was written.");
}

async function walletOf(given: Given, password: Secret): Promise<Answers["privateKey"]> {
  const { home } = given;
  const key = await keyGiven(given, password);
  if (home.keystore === null) return key ?? newPrivateKey();
  const present = await openKeystore(home.keystore.text, password, home.keystorePath);
  if (key !== null) refuseOther(addressOfKey(present), key, home.keystorePath);
  return null;
}

/** The flags first, then the environment, then what the original's configuration names. */
async function keyGiven(given: Given, password: Secret): Promise<Answers["privateKey"]> {
  const { flags, env, original } = given;
  if (flags.privateKeyFile !== undefined && flags.import !== undefined) {
    throw usageError("--private-key-file and --import name two wallets.", "Give one of them.");
  }
  const opening = flags.importPasswordFile === undefined ? password : await passwordIn(flags.importPasswordFile);
  if (flags.privateKeyFile !== undefined) return keyInFile(flags.privateKeyFile);
  if (flags.import !== undefined) return keyInKeystore(flags.import, opening);
  if (env.BLF_PRIVATE_KEY) return keyOf(env.BLF_PRIVATE_KEY, "BLF_PRIVATE_KEY");
  if (original?.keystorePath == null) return null;
  return keyInKeystore(original.keystorePath, opening);
}

/** Another file's password may differ from the new one's. */
async function passwordIn(path: string): Promise<Secret> {
  const text = await readFile(path, "utf8").catch(() => {
    throw usageError(
      `--import-password-file: ${path} cannot be read.`,
      "Name a file that holds that keystore's password.",
    );
  });
  return new Secret(text.replace(/\r?\n$/, ""));
}
