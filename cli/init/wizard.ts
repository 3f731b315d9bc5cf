/**
 * The wizard's way to the answers: a wallet, then each service with a test at once and a chance to correct it, models, and
 * where secrets go. Writes nothing; what is set already is offered as it is and kept on a plain Enter.
 */

import { Secret } from "../../core/secret.ts";
import type { SettingName } from "../../core/settings/schema.ts";
import { SETTINGS } from "../../core/settings/schema.ts";
import { checkPinning, checkRpc } from "../doctor/services.ts";
import { describeGpus, detectGpus } from "../gpu.ts";
import type { Ask } from "./ask.ts";
import { askBackends, askModels } from "./ask-backends.ts";
import { askSetting, type Known } from "./ask-setting.ts";
import type { Answers, PLACES, Place } from "./plan.ts";

export interface WizardInput {
  ask: Ask;
  /** What is set by the folder's files, the environment, and an original's configuration, secrets included. */
  known: Readonly<Partial<Record<SettingName, string>>>;
  /** Models that the original served. */
  models: readonly string[];
  allowHttp: boolean;
  /** Skip every test of a service. */
  skipTests: boolean;
  /** Chosen by flags, so not asked. */
  flags: { models?: string; roles?: string; place?: Place };
}

/** Everything but the wallet and its password. */
export async function askSettings(input: WizardInput): Promise<Pick<Answers, "texts" | "removed" | "place">> {
  const { ask, flags } = input;
  const known: Known = { ...input, texts: { ...input.known } };
  await askRpc(known);
  await askBackends(known);
  ask.say(describeGpus(await ask.work("Looking for a GPU", () => detectGpus())));
  await askPinning(known);
  known.texts.BLF_ROLES = flags.roles ?? (await askRoles(known));
  const models = flags.models ?? (await askModels(known, input.models));
  if (models !== null) known.texts.BLF_MODELS = models;
  else delete known.texts.BLF_MODELS;
  const removed = SETTINGS.map(({ name }) => name).filter((name) => name in input.known && !(name in known.texts));
  return { texts: known.texts, removed, place: flags.place ?? (await askPlace(ask)) };
}

async function askRpc(known: Known): Promise<void> {
  const chainId = Number(known.texts.BLF_COFHE_CHAIN_ID ?? "421614");
  await askSetting(known, {
    name: "BLF_RPC_URL",
    message: "RPC URL of Arbitrum Sepolia (a free key: https://dashboard.alchemy.com/)",
    test: async (text) => {
      const urls = text.split(",").map((url) => url.trim());
      const findings = await Promise.all(urls.map((url) => checkRpc(url, chainId, chainId === 421_614)));
      return findings.find(({ status }) => status === "failure") ?? findings[0] ?? null;
    },
  });
}

async function askPinning(known: Known): Promise<void> {
  const api = known.texts.PINATA_API_URL ?? SETTINGS.find(({ name }) => name === "PINATA_API_URL")?.default ?? "";
  await askSetting(known, {
    name: "PINATA_JWT",
    message: "Pinata token (JWT), which a leader needs to pin answers; empty to serve as a verifier",
    test: (text) => checkPinning(api, new Secret(text)),
  });
}

async function askRoles({ ask, texts }: Known): Promise<string> {
  if (texts.PINATA_JWT === undefined) {
    ask.say("Without a Pinata token the node serves as a verifier.");
    return "verifier";
  }
  const known = texts.BLF_ROLES;
  return ask.choose(
    "Which roles?",
    [
      { value: "leader,verifier", label: "leader and verifier", hint: "60 % or 20 % of a job's reward" },
      { value: "verifier", label: "verifier only" },
      { value: "leader", label: "leader only" },
    ],
    known === "verifier" || known === "leader" ? known : "leader,verifier",
  );
}

function askPlace(ask: Ask): Promise<Place> {
  const choices = [
    { value: "sealed", label: "in secrets.json, sealed with the wallet's password", hint: "recommended" },
    { value: "env", label: "in .env, readable for your user" },
    { value: "none", label: "nowhere: show the new ones once, I keep them" },
  ] as const satisfies readonly { value: (typeof PLACES)[number]; label: string; hint?: string }[];
  return ask.choose<Place>("Where should secrets go?", choices, "sealed");
}
