/**
 * Which settings become plain variables of the Worker and which secrets. In doubt a secret: a URL whose path or query may
 * be a key, too. Names that are no setting are left out, so that a mistyped key is not shown in a dashboard. What cannot
 * work on Cloudflare, an address of this machine, is a fault.
 */
import { Secret } from "../../core/secret.ts";
import type { Fault } from "../../core/settings/fault.ts";
import { SETTINGS } from "../../core/settings/schema.ts";
import { secretsIn } from "../../core/settings/secrets.ts";
import { SETTING_NAMES } from "../../core/settings/settings.ts";
import { splitList } from "../../core/settings/text.ts";
import { isLoopback } from "../../core/settings/url.ts";

export interface WorkerBindings {
  vars: Readonly<Record<string, string>>;
  secrets: Readonly<Record<string, Secret>>;
}

/** @param settings by name, as `Environment.unlocked()` gives them */
export function splitBindings(settings: Readonly<Record<string, string>>): WorkerBindings {
  const given = Object.entries(settings)
    .filter(([name, text]) => SETTING_NAMES.includes(name) && text.trim() !== "")
    .sort(([a], [b]) => a.localeCompare(b));
  return {
    vars: Object.fromEntries(given.filter(([name, text]) => !isSecret(name, text))),
    secrets: Object.fromEntries(
      given.flatMap(([name, text]) => (isSecret(name, text) ? [[name, new Secret(text)]] : [])),
    ),
  };
}

/** Settings that name this machine, which nothing on Cloudflare can reach. */
export function unreachableFrom(settings: Readonly<Record<string, string>>): Fault[] {
  return Object.entries(settings).flatMap(([name, text]): Fault[] => {
    const local = splitList(text).some((item) => /^https?:\/\//i.test(item) && URL.canParse(item) && isLoopback(item));
    if (!SETTING_NAMES.includes(name) || !local) return [];
    const message = `${name} points at this machine, which a Worker on Cloudflare cannot reach.`;
    const fix = `Set ${name} to a public address, or keep this node here with \`blindference-edge run\`.`;
    return [{ code: "unsupported", setting: name, message, fix, severity: "fault" }];
  });
}

function isSecret(name: string, text: string): boolean {
  const doc = SETTINGS.find((setting) => setting.name === name || setting.aliases?.includes(name));
  return (
    doc?.secret === true || doc?.show === "origin" || secretsIn({ [name]: text }).some((part) => part.reveal() !== "")
  );
}
