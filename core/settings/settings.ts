/**
 * Reads all settings from an environment and reports every fault at once, each with its fix. It never stops at the first
 * one and never repeats a secret. Invariant: settings are given exactly when nothing of severity `fault` was found.
 */
import type { Secret } from "../secret.ts";
import { buildSettings, type Settings } from "./build.ts";
import { SETTING_NAMES, type Texts } from "./env.ts";
import type { Fault, Note } from "./fault.ts";
import type { Rule } from "./findings.ts";
import { readValues } from "./read.ts";
import { accessTokens, account, attestation, executor, storageKey } from "./rules-identity.ts";
import { models, openaiKey } from "./rules-models.ts";
import { cofheMode, leader, rpc, transport } from "./rules-network.ts";
import { sealedAnswers } from "./rules-retention.ts";
import { SETTINGS, type SettingName } from "./schema.ts";
import { splitList } from "./text.ts";

export { SETTING_NAMES } from "./env.ts";
export type { Fault, FaultCode, Note } from "./fault.ts";
export { type SettingsReport, settingsReport } from "./report.ts";
export type { Settings };

export interface SettingsResult {
  /** Null when there is any fault of severity `fault`. */
  settings: Settings | null;
  faults: Fault[];
  notes: Note[];
  /** Every name that is read, aliases included. */
  known: readonly string[];
  /** Opens the API also while other settings are at fault, so that they can be looked up there. */
  adminToken: Secret | null;
  /** Likewise: without a node nothing can be spent, but its bearer is told why. */
  spendToken: Secret | null;
  /** One entry a setting, for people; holds no secret. */
  entries: SettingEntry[];
}

export interface SettingEntry {
  name: SettingName;
  source: "set" | "default" | "absent";
  secret: boolean;
  /** The value; for a secret `set` or `absent`; null when there is none or it is at fault. */
  shown: string | null;
}

const RULES: readonly Rule[] = [
  account,
  storageKey,
  executor,
  attestation,
  accessTokens,
  rpc,
  transport,
  cofheMode,
  leader,
  models,
  openaiKey,
  sealedAnswers,
];

/** Reads a Worker's environment, or a process's. Never throws: what is wrong is in `faults`. */
export function readSettings(env: Readonly<Record<string, unknown>>): SettingsResult {
  const { values, given, texts, faulty, faults, notes } = readValues(env, RULES);
  const sound = faults.every(({ severity }) => severity !== "fault");
  return {
    settings: sound ? buildSettings(values, given.BLF_MODELS !== undefined) : null,
    faults,
    notes,
    known: SETTING_NAMES,
    adminToken: faulty.has("BLF_ADMIN_TOKEN") ? null : (values.BLF_ADMIN_TOKEN ?? null),
    spendToken: faulty.has("BLF_SPEND_TOKEN") ? null : (values.BLF_SPEND_TOKEN ?? null),
    entries: describe(given, texts, faulty),
  };
}

function describe(given: Texts, texts: Texts, faulty: ReadonlySet<string>): SettingEntry[] {
  return SETTINGS.map(({ name, secret = false, default: fallback, show }) => {
    const text = texts[name] ?? fallback;
    const source = given[name] !== undefined ? "set" : text !== undefined ? "default" : "absent";
    const entry = { name, source, secret } as const;
    if (secret) return { ...entry, shown: source === "absent" ? "absent" : "set" };
    if (text === undefined || faulty.has(name)) return { ...entry, shown: null };
    return { ...entry, shown: show === "origin" ? origins(text) : shielded(text) };
  });
}

/** An RPC URL carries its key in the path. */
function origins(text: string): string {
  const parts = splitList(text);
  // A URL of a setting that takes only one may itself have a comma.
  const urls = parts.every((part) => URL.canParse(part)) ? parts : [text];
  return urls.map((url) => `${new URL(url).origin}/…`).join(", ");
}

/** A value that looks like a key pasted into the wrong setting is not shown; an address is. */
function shielded(text: string): string {
  return text.replace(/(?:0x)?[A-Za-z0-9]{24,}/g, (run) => (/^0x[0-9a-fA-F]{40}$/.test(run) ? run : "[hidden]"));
}
