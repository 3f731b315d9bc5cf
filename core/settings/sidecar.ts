/**
 * The sidecar's settings: those that it shares with the Worker (keys, chain, CoFHE, models, gateway), under its own rules,
 * and its own. Reports every fault at once, each with its fix, and never repeats a secret. Invariant: settings are given
 * exactly when nothing of severity `fault` was found.
 */
import type { Secret } from "../secret.ts";
import { buildSettings, type Settings } from "./build.ts";
import { textOf } from "./env.ts";
import type { Fault, FaultCode, Note } from "./fault.ts";
import type { PrivateKey } from "./key.ts";
import { readValues } from "./read.ts";
import { storageKey } from "./rules-identity.ts";
import { openaiKey } from "./rules-models.ts";
import { rpc, transport } from "./rules-network.ts";
import { account, models, tier } from "./rules-sidecar.ts";
import { SETTINGS, SIDECAR_SETTINGS, type SidecarSettingName, type SidecarValues, sidecarSchema } from "./schema.ts";
import { problemOf } from "./setting.ts";
import type { WorkerKey } from "./sidecar-shape.ts";

export type { WorkerKey } from "./sidecar-shape.ts";

export interface SidecarHostSettings {
  /** What is read as the Worker reads it; what concerns the Worker alone has no meaning here. */
  node: Settings;
  /** The nodes' keys, at least one. */
  privateKeys: readonly Secret<PrivateKey>[];
  workerKeys: readonly WorkerKey[];
  /** 64 hex digits. */
  signingSeed: Secret;
  /** None: the address that it listens on. */
  origins: readonly string[];
  host: string;
  port: number;
  /** Paths of PEM files. */
  tls: { certPath: string; keyPath: string } | null;
  allowPlainHttp: boolean;
  stateDir: string;
  slots: number;
  queueMax: number;
  retentionHours: number;
  customBackends: readonly string[];
  tpm: { tcti?: string; ekHandle?: number; akHandle?: number };
}

export interface SidecarSettingsResult {
  /** Null when there is any fault of severity `fault`. */
  settings: SidecarHostSettings | null;
  faults: Fault[];
  notes: Note[];
}

export const SIDECAR_SETTING_NAMES: readonly string[] = SIDECAR_SETTINGS.map(({ name }) => name);

/** Signs the Worker's requests: whoever has both halves can answer and ask for either side. */
const WORKERS_KEY = "BLF_SIDECAR_PRIVATE_KEY";

/** Never throws: what is wrong is in `faults`. */
export function readSidecarSettings(env: Readonly<Record<string, unknown>>): SidecarSettingsResult {
  const rules = [account, storageKey, rpc, transport, models(textOf(env.BLF_CUSTOM_BACKENDS) || ""), openaiKey, tier];
  const { values, given, faults, notes } = readValues(env, rules, SIDECAR_SETTING_NAMES);
  const own = readOwn(env, faults);
  if (given[WORKERS_KEY] !== undefined) {
    const message = `${WORKERS_KEY} is the Worker's key, and the sidecar does not need it.`;
    faults.push({ code: "conflict", setting: WORKERS_KEY, message, fix: "Remove it here.", severity: "warning" });
  }
  const { BLF_SIDECAR_SIGNING_KEY: signingSeed, BLF_SIDECAR_WORKER_KEYS: workerKeys } = own;
  const sound = faults.every(({ severity }) => severity !== "fault");
  if (!sound || signingSeed === undefined || workerKeys === undefined) return { settings: null, faults, notes };
  const fallback = values.BLF_SIDECAR_URL === undefined ? [] : [new URL(values.BLF_SIDECAR_URL).origin];
  const node = buildSettings(values, given.BLF_MODELS !== undefined);
  return {
    settings: {
      node,
      privateKeys: values.BLF_PRIVATE_KEY ?? [],
      signingSeed,
      workerKeys,
      ...placed(own),
      origins: own.BLF_SIDECAR_ORIGINS ?? fallback,
    },
    faults,
    notes,
  };
}

function placed(own: SidecarValues) {
  const { BLF_SIDECAR_TLS_CERT: certPath, BLF_SIDECAR_TLS_KEY: keyPath } = own;
  const { BLF_TPM_TCTI: tcti, BLF_TPM_EK_HANDLE: ekHandle, BLF_TPM_AK_HANDLE: akHandle } = own;
  return {
    host: own.BLF_SIDECAR_HOST,
    port: own.BLF_SIDECAR_PORT,
    tls: certPath === undefined || keyPath === undefined ? null : { certPath, keyPath },
    allowPlainHttp: own.BLF_SIDECAR_ALLOW_HTTP,
    stateDir: own.BLF_SIDECAR_STATE,
    slots: own.BLF_SIDECAR_SLOTS,
    queueMax: own.BLF_SIDECAR_QUEUE,
    retentionHours: own.BLF_SIDECAR_RETENTION_HOURS,
    customBackends: own.BLF_CUSTOM_BACKENDS ?? [],
    tpm: {
      ...(tcti === undefined ? {} : { tcti }),
      ...(ekHandle === undefined ? {} : { ekHandle }),
      ...(akHandle === undefined ? {} : { akHandle }),
    },
  };
}

/** The sidecar's own; what cannot be read is reported and left at its default. */
function readOwn(env: Readonly<Record<string, unknown>>, faults: Fault[]): SidecarValues {
  const texts: Partial<Record<SidecarSettingName, string>> = {};
  for (const { name, fix } of SIDECAR_SETTINGS) {
    const text = textOf(env[name]);
    if (text === null) faults.push(fault(name, "malformed", `${name} is no text.`, fix));
    else if (text !== "") texts[name] = text;
  }
  const parsed = sidecarSchema.safeParse(texts);
  const malformed = new Set<string>();
  for (const issue of parsed.error?.issues ?? []) {
    const name = sidecarSchema.keyof().parse(issue.path[0]);
    const { code, message, fix } = problemOf(issue);
    malformed.add(name);
    faults.push(fault(name, code, `${name} ${message}.`, fix ?? fixOf(name)));
    delete texts[name];
  }
  for (const name of ["BLF_SIDECAR_WORKER_KEYS", "BLF_SIDECAR_SIGNING_KEY"] as const) {
    if (texts[name] !== undefined || malformed.has(name)) continue;
    faults.push(fault(name, "missing", `${name} is not set.`, fixOf(name)));
  }
  const { BLF_SIDECAR_TLS_CERT: cert, BLF_SIDECAR_TLS_KEY: key } = texts;
  const readable = !malformed.has("BLF_SIDECAR_TLS_CERT") && !malformed.has("BLF_SIDECAR_TLS_KEY");
  if (readable && (cert === undefined) !== (key === undefined)) {
    const absent = cert === undefined ? "BLF_SIDECAR_TLS_CERT" : "BLF_SIDECAR_TLS_KEY";
    faults.push(fault(absent, "missing", `${absent} is not set: TLS needs a certificate and its key.`, fixOf(absent)));
  }
  return sidecarSchema.parse(texts);
}

function fault(setting: string, code: FaultCode, message: string, fix: string): Fault {
  return { code, setting, message, fix, severity: "fault" };
}

function fixOf(name: string): string {
  return [...SIDECAR_SETTINGS, ...SETTINGS].find((setting) => setting.name === name)?.fix ?? `Set ${name}.`;
}
