/**
 * From an environment to the settings' values, under the rules of whoever reads them: the Worker's and the sidecar's
 * differ, what a text means does not. It never stops at the first fault and never repeats a secret.
 */
import { defaultModels } from "./backends.ts";
import { chainDefaults, DEFAULT_CHAIN } from "./chains.ts";
import { readEnv, type Texts } from "./env.ts";
import type { Fault, Note } from "./fault.ts";
import { collectInto, type Rule } from "./findings.ts";
import { SETTINGS, type SettingName, settingsSchema, type Values } from "./schema.ts";
import { problemOf } from "./setting.ts";

export interface ValuesReading {
  /** What cannot be read has its default. */
  values: Values;
  /** The texts that the environment holds. */
  given: Texts;
  /** The same, with the defaults that follow from other settings. */
  texts: Texts;
  /** Names of the settings that are at fault. */
  faulty: ReadonlySet<string>;
  faults: Fault[];
  notes: Note[];
}

/** @param others names of the environment that the caller reads itself */
export function readValues(
  env: Readonly<Record<string, unknown>>,
  rules: readonly Rule[],
  others: readonly string[] = [],
): ValuesReading {
  const { texts: given, faults, notes } = readEnv(env, others);
  const texts = { ...derivedDefaults(given), ...given };
  const faulty = new Set<string>(faults.filter(({ severity }) => severity === "fault").map(({ setting }) => setting));
  const values = parse(texts, (fault) => {
    faulty.add(fault.setting);
    // A derived default repeats another setting's text, whose own fault is reported already.
    if (given[fault.setting] !== undefined) faults.push(fault);
  });
  const context = {
    values,
    given: (name: SettingName) => given[name] !== undefined,
    faulty: (name: SettingName) => faulty.has(name),
  };
  for (const rule of rules) rule(context, collectInto(faults, notes));
  return { values, given, texts, faulty, faults, notes };
}

/** Defaults that follow from other settings, as texts, so that they are read like given ones. */
function derivedDefaults(given: Texts): Texts {
  const runnable = defaultModels(given.GROQ_API_KEY !== undefined, given.GOOGLE_API_KEY !== undefined);
  return {
    ...chainDefaults(given.BLF_COFHE_CHAIN_ID ?? DEFAULT_CHAIN),
    ...(given.BLF_RPC_URL === undefined ? {} : { BLF_COFHE_ENDPOINT: given.BLF_RPC_URL }),
    ...(runnable === "" ? {} : { BLF_MODELS: runnable }),
  };
}

/** The values of all texts that can be read; the others are reported and take their default. */
function parse(texts: Texts, report: (fault: Fault & { setting: SettingName }) => void): Values {
  const first = settingsSchema.safeParse(texts);
  if (first.success) return first.data;
  const rest = { ...texts };
  const names = settingsSchema.keyof();
  for (const issue of first.error.issues) {
    const setting = names.parse(issue.path[0]);
    const { code, message, fix } = problemOf(issue);
    const doc = SETTINGS.find(({ name }) => name === setting);
    report({ code, setting, message: `${setting} ${message}.`, fix: fix ?? doc?.fix ?? "", severity: "fault" });
    delete rest[setting];
  }
  return settingsSchema.parse(rest);
}
