/** What a deployment will do, before it does anything: names only, no value of a secret. */
import { gzipSync } from "node:zlib";
import { VERSION } from "../../core/version.ts";
import { WORKER } from "../local-worker.ts";
import type { CloudflareAccount } from "./account.ts";
import type { WorkerBindings } from "./bindings.ts";
import type { DatabaseChoice } from "./database.ts";
import { type ExistingWorker, isNode } from "./existing.ts";

export interface DeployPlan {
  account: CloudflareAccount;
  name: string;
  /** What it meets under that name. */
  worker: "new" | "update" | "overwrite";
  replaces: string | null;
  version: string;
  code: { bytes: number; gzipBytes: number };
  database: DatabaseChoice & { create: boolean };
  objectClasses: readonly string[];
  crons: readonly string[];
  vars: readonly string[];
  secrets: readonly string[];
  /** On the Worker, but not set here: they stay. */
  keptSecrets: readonly string[];
  /** On the Worker, but not set here: they go. */
  removedVars: readonly string[];
  warnings: readonly string[];
}

export interface PlanInput {
  account: CloudflareAccount;
  name: string;
  existing: ExistingWorker | null;
  database: DatabaseChoice;
  script: Uint8Array;
  bindings: WorkerBindings;
}

export function makePlan({ account, name, existing, database, script, bindings }: PlanInput): DeployPlan {
  const vars = Object.keys(bindings.vars);
  const secrets = Object.keys(bindings.secrets);
  const given = [...vars, ...secrets];
  const keptSecrets = existing?.secrets.filter((secret) => !given.includes(secret)) ?? [];
  return {
    account,
    name,
    worker: existing === null ? "new" : isNode(existing) ? "update" : "overwrite",
    replaces: existing?.versionId ?? null,
    version: VERSION,
    code: { bytes: script.length, gzipBytes: gzipSync(script).length },
    database: { ...database, create: database.id === null },
    objectClasses: Object.values(WORKER.durableObjects),
    crons: [WORKER.cron],
    vars,
    secrets,
    keptSecrets,
    removedVars: existing?.vars.filter((setting) => !given.includes(setting)) ?? [],
    warnings: warningsOf(existing, [...given, ...keptSecrets]),
  };
}

/** The plan for people, line by line. */
export function planLines(plan: DeployPlan): string[] {
  const { account, worker, code, database } = plan;
  const met = { new: "new", update: "is there, gets a new version", overwrite: "OVERWRITES a Worker that is no node" };
  const line = (title: string, names: readonly string[], note = "") =>
    names.length === 0 ? [] : [`${title.padEnd(11)}${names.join(", ")}${note}`];
  return [
    ...line("Account", [`${account.name} (${account.id})`]),
    ...line("Worker", [plan.name], ` (${met[worker]})`),
    ...line("Code", [`version ${plan.version}`], `, ${Math.ceil(code.gzipBytes / 1024)} KiB gzipped`),
    ...line("Database", [`${database.name} (D1)`], database.create ? ", will be created" : ", is there"),
    ...line("Objects", plan.objectClasses, " (SQLite)"),
    ...line("Crons", plan.crons),
    ...line("Variables", plan.vars),
    ...line("Secrets", plan.secrets, " (all sent, through a pipe)"),
    ...line("Kept", plan.keptSecrets, " (secrets of the Worker that are not set here)"),
    ...line("Removed", plan.removedVars, " (variables of the Worker that are not set here)"),
    ...plan.warnings.map((warning) => `Warning: ${warning}`),
  ];
}

function warningsOf(existing: ExistingWorker | null, names: readonly string[]): string[] {
  const foreign = existing === null || isNode(existing) ? [] : [foreignWorker(existing)];
  const closed = names.includes("BLF_ADMIN_TOKEN")
    ? []
    : ["BLF_ADMIN_TOKEN is not set: the node's API stays closed, and it attests by itself only."];
  return [...foreign, ...closed];
}

function foreignWorker({ objectClasses, others }: ExistingWorker): string {
  const parts = [...objectClasses.map((name) => `${name} (object class)`), ...others];
  return `the Worker of this name is another program's: it has ${parts.join(", ") || "other variables or secrets"}.`;
}
