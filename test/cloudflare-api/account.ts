/**
 * What one Cloudflare account holds, as far as a deployment touches it: Worker scripts with their versions, settings,
 * secrets and crons, D1 databases, and the workers.dev subdomain. Secrets are kept apart from what a reader gets back.
 */
import { randomUUID } from "node:crypto";

export interface Binding {
  name: string;
  type: string;
  [field: string]: unknown;
}

/** What an upload's metadata may say; anything else is refused (upload.ts). */
export interface Upload {
  mainModule: string;
  /** By module name. */
  modules: Map<string, { type: string; bytes: Buffer }>;
  bindings: Binding[];
  exports: Record<string, { type: string; storage?: string }>;
  compatibilityDate: string;
  compatibilityFlags: string[];
  keepBindings: string[];
  observability: unknown;
  /** When running objects take the new code. */
  codeUpdate: "immediate" | "deferred";
}

export interface Version extends Upload {
  id: string;
}

export interface Script {
  name: string;
  tag: string;
  lastDeployedFrom: "wrangler" | "dash" | "api";
  versions: Version[];
  /** Values, which no call gives back. */
  secrets: Map<string, string>;
  crons: string[];
  workersDev: boolean;
  settings: Record<string, unknown>;
}

export interface Database {
  uuid: string;
  name: string;
}

export interface Account {
  id: string;
  name: string;
  /** Null: none was registered yet. */
  subdomain: string | null;
  scripts: Map<string, Script>;
  databases: Database[];
}

export function newAccount(name: string, subdomain: string | null): Account {
  return { id: randomUUID().replaceAll("-", ""), name, subdomain, scripts: new Map(), databases: [] };
}

export function newScript(name: string): Script {
  return {
    name,
    tag: randomUUID().replaceAll("-", ""),
    lastDeployedFrom: "wrangler",
    versions: [],
    secrets: new Map(),
    crons: [],
    workersDev: false,
    settings: {},
  };
}

/** Puts an upload into service as the script's newest version, with the secrets that it brings and those it keeps. */
export function deployUpload(account: Account, name: string, upload: Upload): Version {
  const script = account.scripts.get(name) ?? newScript(name);
  account.scripts.set(name, script);
  const brought = upload.bindings.filter(({ type }) => type === "secret_text");
  if (!upload.keepBindings.includes("secret_text")) script.secrets.clear();
  // A binding of another kind takes the place of the secret of its name.
  for (const { name: taken } of upload.bindings) script.secrets.delete(taken);
  for (const { name: secret, text } of brought) script.secrets.set(secret, String(text));
  const version = { ...upload, id: randomUUID(), bindings: upload.bindings.filter((one) => !brought.includes(one)) };
  script.versions.push(version);
  script.lastDeployedFrom = "wrangler";
  return version;
}

/** The bindings of a script's newest version as a reader gets them: secrets by name only. */
export function shownBindings(script: Script): Binding[] {
  const secrets = [...script.secrets.keys()].map((name) => ({ name, type: "secret_text" }));
  return [...(script.versions.at(-1)?.bindings ?? []), ...secrets];
}
