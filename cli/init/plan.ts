/**
 * From answers to what will be in each file, before anything is written: plain settings for `.env`, secrets for where the
 * operator wants them, tokens that are made where none are known. Invariants: what is known and was not asked about stays,
 * and a secret stands in one place only.
 */
import { randomBytes } from "node:crypto";
import type { Hex } from "viem";
import { Secret } from "../../core/secret.ts";
import { SETTINGS, type SettingName } from "../../core/settings/schema.ts";
import { changeEnv, isSecretSetting } from "../env-file.ts";
import type { Home } from "./home.ts";

export const PLACES = ["sealed", "env", "none"] as const;
export type Place = (typeof PLACES)[number];

export interface Answers {
  /** Null keeps the wallet that is there. */
  privateKey: Secret<Hex> | null;
  password: Secret;
  /** Settings to write, secrets among them. */
  texts: Partial<Record<SettingName, string>>;
  /** Settings to take out. */
  removed: readonly SettingName[];
  place: Place;
}

export interface Plan {
  envText: string;
  /** All that will be in the sealed file; null leaves it as it is. */
  sealed: Record<string, Secret> | null;
  /** Set to another value than they had, or taken out; their values stay untold. */
  changed: readonly string[];
  /** Made here, and not known before. */
  generated: Record<string, Secret>;
  /** What the node would be given, for the tests that follow; without the wallet. */
  bindings: Record<string, string>;
}

const TOKENS: readonly [SettingName, () => string][] = [
  ["BLF_STORAGE_KEY", () => randomBytes(32).toString("hex")],
  ["BLF_ADMIN_TOKEN", () => randomBytes(32).toString("base64url")],
  ["BLF_SPEND_TOKEN", () => randomBytes(32).toString("base64url")],
];

/** @param stored what the sealed file holds now */
export function makePlan(home: Home, stored: Readonly<Record<string, Secret>>, answers: Answers): Plan {
  const before: Record<string, string> = { ...revealed(stored), ...home.texts };
  const removed = answers.removed.filter((name) => before[name] !== undefined);
  const given = Object.entries(answers.texts).filter(([name, text]) => before[name] !== text);
  const generated: Record<string, Secret> = {};
  for (const [name, make] of TOKENS) {
    if (before[name] === undefined && answers.texts[name] === undefined) generated[name] = new Secret(make());
  }
  const secrets = { ...Object.fromEntries(given.filter(([name]) => isSecretSetting(name))), ...revealed(generated) };
  const plain = Object.fromEntries(
    given.filter(([name, text]) => !isSecretSetting(name) && isWorthWriting(name, text, before)),
  );
  const files = placed({ home, stored, place: answers.place, plain, secrets, removed });
  return {
    ...files,
    changed: [...given.map(([name]) => name).filter((name) => before[name] !== undefined), ...removed],
    generated,
    bindings: without({ ...before, ...answers.texts, ...revealed(generated) }, removed),
  };
}

interface Placing {
  home: Home;
  stored: Readonly<Record<string, Secret>>;
  place: Place;
  plain: Record<string, string>;
  secrets: Record<string, string>;
  removed: readonly string[];
}

function placed(placing: Placing): Pick<Plan, "envText" | "sealed"> {
  const { home, stored, place, plain, secrets } = placing;
  const names = Object.keys(secrets);
  const removed = withAliases(placing.removed);
  const kept = without(stored, placing.removed);
  switch (place) {
    case "none":
      return { envText: edited(home, plain, removed), sealed: unlessSame(stored, kept) };
    case "env": {
      const aliases = withAliases(names).filter((name) => !names.includes(name));
      const envText = edited(home, { ...plain, ...secrets }, [...removed, ...aliases]);
      return { envText, sealed: unlessSame(stored, without(kept, names)) };
    }
    case "sealed": {
      const sealed = Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, new Secret(text)]));
      // A line in the settings file would win over the sealed value.
      const envText = edited(home, plain, [...removed, ...withAliases(names)]);
      return { envText, sealed: names.length > 0 ? { ...kept, ...sealed } : unlessSame(stored, kept) };
    }
  }
}

/** The settings file's text, untouched where nothing in it changes. */
function edited({ envText, texts }: Home, set: Record<string, string>, remove: readonly string[]): string {
  const gone = remove.filter((name) => name in texts || envText.includes(name));
  return Object.keys(set).length + gone.length === 0 ? envText : changeEnv(envText, { set, remove: gone });
}

function withAliases(names: readonly string[]): string[] {
  return names.flatMap((name) => [name, ...(SETTINGS.find((setting) => setting.name === name)?.aliases ?? [])]);
}

function without<T>(record: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

function unlessSame(before: Readonly<Record<string, Secret>>, after: Record<string, Secret>): Plan["sealed"] {
  return Object.keys(before).length === Object.keys(after).length ? null : after;
}

/** A default that was never written needs no line. */
function isWorthWriting(name: string, text: string, before: Record<string, string>): boolean {
  return before[name] !== undefined || SETTINGS.find((setting) => setting.name === name)?.default !== text;
}

function revealed(secrets: Readonly<Record<string, Secret>>): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]));
}
