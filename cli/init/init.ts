/**
 * `init` from start to end: what is there, what is wanted (asked for, or from flags and environment), the plan, the files,
 * one model's self-test, and what to do next. Invariant: until the plan is agreed to, nothing is written.
 */
import { readFile } from "node:fs/promises";
import { NodeError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import { backendOf } from "../../core/settings/model.ts";
import type { SettingName } from "../../core/settings/schema.ts";
import { type Fault, readSettings } from "../../core/settings/settings.ts";
import { DEFAULT_PROMPT, DEFAULT_RUNS, type DeterminismReport, testDeterminism } from "../determinism.ts";
import { CliError, usageError } from "../errors.ts";
import { detectGpus, type GpuReport } from "../gpu.ts";
import type { Io } from "../io.ts";
import { readLeniently } from "../lenient-settings.ts";
import { chooseModel } from "../local-backend.ts";
import { openSecrets, secretNames } from "../wallet/secrets-file.ts";
import { terminalAsk } from "./ask.ts";
import { askWallet } from "./ask-wallet.ts";
import { readHome } from "./home.ts";
import { type OriginalConfig, readOriginalConfig } from "./original-config.ts";
import { type Answers, makePlan, type Plan } from "./plan.ts";
import {
  answersOf,
  type Given,
  givenPassword,
  type InitFlags,
  placeOf,
  refuseFaulty,
  runnable,
  textsOf,
  whatItNeeds,
} from "./unattended.ts";
import { addressOfKey, keyInFile } from "./wallet.ts";
import { askSettings } from "./wizard.ts";
import { writePlan } from "./write.ts";

export interface InitOptions extends InitFlags {
  dir: string;
  from?: string;
  yes: boolean;
  skipTests: boolean;
}

export interface InitResult {
  address: string;
  kept: boolean;
  written: string[];
  plan: Plan;
  answers: Answers;
  /** What still keeps the node from working. */
  faults: Fault[];
  notes: readonly string[];
  /** Null where it was not looked for, or the wizard has told of it. */
  gpus: GpuReport | null;
  /** The reason where it was not run. */
  determinism: DeterminismReport | string;
}

export async function init(io: Io, options: InitOptions, env: Given["env"]): Promise<InitResult> {
  const home = await readHome(options.dir, env.BLF_KEYSTORE);
  const original = options.from === undefined ? null : await readOriginal(options.from);
  const given: Given = { home, flags: options, env, original };
  const unattended = options.yes || !io.interactive;
  const { answers, stored } = unattended ? await collect(given) : await interview(io, given, options);
  const plan = makePlan(home, stored, answers);
  const address = answers.privateKey === null ? home.keystore?.address : addressOfKey(answers.privateKey);
  await agree(io, home.dir, plan.changed, unattended ? { yes: options.yes } : null);
  const written = await writePlan(home, answers, plan);
  const { faults } = readSettings({ ...plan.bindings, BLF_PRIVATE_KEY: "1".padStart(64, "0") });
  return {
    address: address ?? "",
    kept: answers.privateKey === null,
    written,
    plan,
    answers,
    faults: faults.filter(({ severity }) => severity === "fault"),
    notes: [...(original?.notes ?? []), ...mismatch(original, address ?? ""), ...unserved(original, plan.bindings)],
    gpus: unattended && !options.skipTests ? await detectGpus() : null,
    determinism: await selfTest(io, plan.bindings, options.skipTests),
  };
}

interface Collected {
  answers: Answers;
  stored: Record<string, Secret>;
}

async function collect(given: Given): Promise<Collected> {
  const { home } = given;
  placeOf(given.flags.secrets);
  const password = givenPassword(given);
  const known = new Set<string>([...Object.keys(home.texts), ...(await secretNames(home.secretsPath))]);
  const answers = await answersOf(given, password, known);
  return { answers, stored: await openSecrets(home.secretsPath, password) };
}

async function interview(io: Io, given: Given, options: InitOptions): Promise<Collected> {
  const { home, env, original, flags } = given;
  const ask = terminalAsk(io);
  const place = flags.secrets === undefined ? null : placeOf(flags.secrets);
  refuseFaulty({
    ...(flags.models === undefined ? {} : { BLF_MODELS: flags.models }),
    ...(flags.roles === undefined ? {} : { BLF_ROLES: flags.roles }),
  });
  for (const note of original?.notes ?? []) ask.say(note);
  const wallet = await askWallet({
    ask,
    home,
    env,
    keystore: flags.import ?? original?.keystorePath ?? null,
    key: flags.privateKeyFile === undefined ? null : await keyInFile(flags.privateKeyFile),
  });
  const stored = await openSecrets(home.secretsPath, wallet.password);
  const before = Object.fromEntries(Object.entries(stored).map(([name, secret]) => [name, secret.reveal()]));
  const known: Partial<Record<SettingName, string>> = {
    ...before,
    ...home.texts,
    ...textsOf(given, new Set(["BLF_ROLES", "BLF_MODELS"])),
  };
  const settings = await askSettings({
    ask,
    known,
    models: original?.models ?? [],
    allowHttp: known.BLF_ALLOW_HTTP?.toLowerCase() === "true",
    skipTests: options.skipTests,
    flags: {
      ...(flags.models === undefined ? {} : { models: flags.models }),
      ...(flags.roles === undefined ? {} : { roles: flags.roles }),
      ...(place === null ? {} : { place }),
    },
  });
  return { answers: { ...wallet, ...settings }, stored };
}

/** Asked once: a person agrees to all of it; without one, only what changes needs a word. */
async function agree(
  io: Io,
  dir: string,
  changed: readonly string[],
  unattended: { yes: boolean } | null,
): Promise<void> {
  if (unattended !== null) {
    if (changed.length > 0) await io.confirm(`Change ${changed.join(", ")} in ${dir}?`, unattended.yes);
    return;
  }
  const changing = changed.length === 0 ? "" : `, changing ${changed.join(", ")}`;
  if (await terminalAsk(io).yes(`Write this to ${dir}${changing}?`)) return;
  throw new CliError("Nothing was written.", { exit: "refused" });
}

async function readOriginal(path: string): Promise<OriginalConfig> {
  const text = await readFile(path, "utf8").catch(() => {
    throw usageError(`--from: ${path} cannot be read.`, "Name the original's config.json.");
  });
  return readOriginalConfig(text, path);
}

function mismatch(original: OriginalConfig | null, address: string): string[] {
  const named = original?.address;
  if (named == null || named.toLowerCase() === address.toLowerCase()) return [];
  return [
    `The configuration names ${named}, but the wallet is ${address}: stake and certificate belong to an address.`,
  ];
}

/** The original's models that nothing here can run: its users would otherwise miss them without a word. */
function unserved(original: OriginalConfig | null, bindings: Plan["bindings"]): string[] {
  const models = original?.models ?? [];
  const served = runnable(models, (name) => Boolean(bindings[name]));
  const left = models.filter((id) => !served.includes(id));
  return left.map((id) => `The original's model ${id} is not served: ${whatItNeeds(id)}`);
}

async function selfTest(
  io: Io,
  bindings: Readonly<Record<string, string>>,
  skip: boolean,
): Promise<InitResult["determinism"]> {
  if (skip) return "left out (--skip-tests)";
  const model = readLeniently(bindings).settings.models.find((id) => backendOf(id) !== "mock");
  if (model === undefined) return "no model of a real backend is set";
  try {
    const chosen = chooseModel(bindings, model);
    return await io.progress(`Asking ${model} the same ${DEFAULT_RUNS} times`, (say) =>
      testDeterminism({ ...chosen, prompt: DEFAULT_PROMPT, runs: DEFAULT_RUNS, say }),
    );
  } catch (error) {
    if (error instanceof NodeError || error instanceof CliError) return `${model} did not answer: ${error.message}`;
    throw error;
  }
}
