/**
 * From an environment to the texts of the settings: trimmed, unquoted, aliases resolved, empty as absent, and a hint for
 * names that look like typing errors. Everything else in the environment (bindings, PATH) is left alone.
 */
import type { Fault, Note } from "./fault.ts";
import { nearestName } from "./nearest-name.ts";
import { type NamedSetting, SETTINGS, type SettingName } from "./schema.ts";
import { unquote } from "./text.ts";

export type Texts = Partial<Record<SettingName, string>>;

export interface EnvReading {
  texts: Texts;
  faults: Fault[];
  notes: Note[];
}

/** Every name that is read, aliases included. */
export const SETTING_NAMES: readonly string[] = SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);

/** Longest name to repeat in a message. */
const NAME_MAX = 64;

/** @param others names that the caller reads itself */
export function readEnv(env: Readonly<Record<string, unknown>>, others: readonly string[] = []): EnvReading {
  const reading: EnvReading = { texts: {}, faults: [], notes: [] };
  for (const setting of SETTINGS) readSetting(env, setting, reading);
  reading.faults.push(...unknownNames(env, [...SETTING_NAMES, ...others]));
  return reading;
}

function readSetting(env: Readonly<Record<string, unknown>>, setting: NamedSetting, reading: EnvReading): void {
  let winner: string | undefined;
  for (const name of [setting.name, ...(setting.aliases ?? [])]) {
    const text = textOf(env[name]);
    if (text === null) {
      const message = `${name} is a binding or an object, not text.`;
      const fix = `Give ${name} as a plain variable or a secret.`;
      reading.faults.push({ code: "malformed", setting: setting.name, message, fix, severity: "fault" });
    } else if (text !== "" && winner === undefined) {
      winner = name;
      reading.texts[setting.name] = text;
      if (name !== setting.name)
        reading.notes.push({ setting: setting.name, message: `${setting.name} is read from ${name}.` });
    } else if (text !== "" && text !== reading.texts[setting.name]) {
      const message = `${winner} and ${name} mean the same and differ; ${winner} is used.`;
      reading.faults.push({
        code: "conflict",
        setting: setting.name,
        message,
        fix: `Remove ${name}.`,
        severity: "warning",
      });
    }
  }
}

/** Empty when absent, null when it can be no setting. A configuration file may hold numbers and booleans. */
export function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return unquote(value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

function unknownNames(env: Readonly<Record<string, unknown>>, known: readonly string[]): Fault[] {
  return Object.keys(env)
    .filter((name) => /^BLF_/i.test(name) && !known.includes(name) && typeof env[name] !== "object")
    .map((name) => {
      const shown = name.slice(0, NAME_MAX);
      const near = nearestName(name, known);
      return {
        code: "unknown",
        setting: shown,
        message: `${shown} is no setting of this node and is ignored.`,
        fix: near === null ? `Remove ${shown}.` : `Did you mean ${near}? Rename or remove it.`,
        severity: "warning",
      };
    });
}
