/**
 * The settings for checks that go on although something is at fault: a setting that cannot be read, or that must not be
 * used (plain http, a mainnet), counts as absent, and its name is told, so that no check takes a default in its place.
 */
import { defaultModels } from "../core/settings/backends.ts";
import { buildSettings } from "../core/settings/build.ts";
import { chainDefaults, DEFAULT_CHAIN } from "../core/settings/chains.ts";
import { readEnv, type Texts } from "../core/settings/env.ts";
import type { FaultCode } from "../core/settings/fault.ts";
import { type SettingName, settingsSchema } from "../core/settings/schema.ts";
import { type Fault, readSettings, type Settings } from "../core/settings/settings.ts";

export interface LenientSettings {
  settings: Settings;
  faults: Fault[];
  /** What is set and cannot be used. */
  unusable(name: SettingName): boolean;
}

/** The value itself is wrong; the others are about what is missing, or does not fit together. */
const OF_THE_VALUE: readonly FaultCode[] = [
  "malformed",
  "out-of-range",
  "placeholder",
  "mainnet",
  "not-https",
  "duplicate",
];

export function readLeniently(env: Readonly<Record<string, string>>): LenientSettings {
  const { faults } = readSettings(env);
  const broken = new Set(
    faults
      .filter(({ severity, code }) => severity === "fault" && OF_THE_VALUE.includes(code))
      .map(({ setting }) => setting),
  );
  if (broken.has("BLF_COFHE_CHAIN_ID")) broken.add("BLF_RPC_URL");
  const { texts: given } = readEnv(env);
  const usable: Texts = Object.fromEntries(Object.entries(given).filter(([name]) => !broken.has(name)));
  const models = defaultModels(usable.GROQ_API_KEY !== undefined, usable.GOOGLE_API_KEY !== undefined);
  const texts: Texts = {
    ...chainDefaults(usable.BLF_COFHE_CHAIN_ID ?? DEFAULT_CHAIN),
    ...(models === "" ? {} : { BLF_MODELS: models }),
    ...usable,
  };
  const parsed = settingsSchema.parse(texts);
  return {
    settings: buildSettings(parsed, usable.BLF_MODELS !== undefined),
    faults,
    unusable: (name) => broken.has(name),
  };
}

/** What the text of one setting says; null where it is well, else what is wrong, for whoever types it. */
export function problemWith(name: SettingName, text: string, allowHttp = false): string | null {
  const { faults } = readSettings({ [name]: text, ...(allowHttp ? { BLF_ALLOW_HTTP: "true" } : {}) });
  const own = faults.find(
    ({ setting, code, severity }) => setting === name && severity === "fault" && code !== "missing",
  );
  return own === undefined || own.code === "conflict" ? null : `${own.message} ${own.fix}`;
}
