/** What only the sidecar reads: where it listens, whose requests it takes, how much it takes on, where it keeps its state. */
import { ok } from "../result.ts";
import { readKey32 } from "./key.ts";
import { defaulted, optional, type Problem, problem, type Reading, textTo } from "./setting.ts";
import { readFlag, readInteger, readText, splitList } from "./text.ts";
import { readUrl } from "./url.ts";

/** A key that a Worker signs its requests with. */
export interface WorkerKey {
  id: string;
  /** 64 hex digits. */
  publicKey: string;
}

/** Two of one Worker while they are exchanged, and a few Workers. */
const WORKER_KEYS_MAX = 16;
const PATHS_MAX = 32;
const PATH_MAX = 4_096;

export const sidecarShape = {
  BLF_SIDECAR_WORKER_KEYS: optional(textTo(readWorkerKeys), {
    description:
      "Public keys of the Workers that may ask, as `ID=KEY`, comma-separated: two of one Worker while they are exchanged. The id is the Worker's BLF_SIDECAR_KEY_ID.",
    fix: "Make the keys of both sides with `blindference-edge sidecar keys`.",
  }),
  BLF_SIDECAR_SIGNING_KEY: optional(textTo(readKey32), {
    description: "Ed25519 seed that signs the sidecar's answers, 32 bytes. The Worker pins its public half.",
    fix: "Make the keys of both sides with `blindference-edge sidecar keys`.",
    secret: true,
  }),
  BLF_SIDECAR_ORIGINS: optional(textTo(readOrigins), {
    description:
      "Every address that Workers reach the sidecar by, as `https://HOST`, comma-separated. A request that was signed for another one is refused.",
    fix: "Write the origins, such as https://sidecar.example.org, without a path.",
    defaultNote: "`BLF_SIDECAR_URL`, else the address that it listens on",
  }),
  BLF_SIDECAR_HOST: defaulted(textTo(readText(255)), "127.0.0.1", {
    description:
      "Address to listen on. One that others can reach needs TLS (`BLF_SIDECAR_TLS_CERT`) or `BLF_SIDECAR_ALLOW_HTTP`.",
    fix: "Write an address of this machine, or remove it for 127.0.0.1.",
  }),
  BLF_SIDECAR_PORT: defaulted(textTo(readInteger(0, 65_535)), "8790", {
    description: "Port to listen on, 0 to 65535; 0 takes a free one.",
    fix: "Set BLF_SIDECAR_PORT to a number from 0 to 65535.",
  }),
  BLF_SIDECAR_TLS_CERT: optional(textTo(readText(PATH_MAX)), {
    description: "File of the TLS certificate chain, PEM. With `BLF_SIDECAR_TLS_KEY` the sidecar itself does TLS.",
    fix: "Write the path of a PEM file, or remove it and listen behind a tunnel.",
  }),
  BLF_SIDECAR_TLS_KEY: optional(textTo(readText(PATH_MAX)), {
    description: "File of the certificate's private key, PEM.",
    fix: "Write the path of a PEM file, or remove it and listen behind a tunnel.",
  }),
  BLF_SIDECAR_ALLOW_HTTP: defaulted(textTo(readFlag), "false", {
    description: "Your word that a tunnel or proxy in front does TLS: allows an address that others can reach.",
    fix: "Set BLF_SIDECAR_ALLOW_HTTP to true or false.",
  }),
  BLF_SIDECAR_STATE: defaulted(textTo(readText(PATH_MAX)), "./sidecar-state", {
    description:
      "Folder of the sidecar's state, for its user alone (0700): executions, output keys and permits, all wrapped or sealed.",
    fix: "Write a folder's path.",
  }),
  BLF_SIDECAR_SLOTS: defaulted(textTo(readInteger(1, 256)), "8", {
    description: "Executions at a time, 1 to 256: what the model server takes without slowing down.",
    fix: "Set BLF_SIDECAR_SLOTS to a number from 1 to 256.",
  }),
  BLF_SIDECAR_QUEUE: defaulted(textTo(readInteger(0, 1_024)), "16", {
    description:
      "Executions that may wait for a slot, 0 to 1024. Beyond them the sidecar is busy, and Workers claim no more.",
    fix: "Set BLF_SIDECAR_QUEUE to a number from 0 to 1024.",
  }),
  BLF_SIDECAR_RETENTION_HOURS: defaulted(textTo(readInteger(1, 720)), "24", {
    description: "Hours that a finished execution's sealed result and a job's output key stay, 1 to 720.",
    fix: "Set BLF_SIDECAR_RETENTION_HOURS to a number from 1 to 720.",
  }),
  BLF_CUSTOM_BACKENDS: optional(textTo(readPaths), {
    description:
      "Modules with backends of your own, comma-separated paths: see [custom backends](custom-backend.md). Their models are served besides `BLF_MODELS`.",
    fix: "Write the paths of JavaScript modules, such as ./my-backend.mjs.",
  }),
  BLF_TPM_EK_HANDLE: optional(textTo(readHandle), {
    description: "Persistent handle of the TPM's endorsement key, `0x` and 8 hex digits.",
    fix: "Write a persistent handle, such as 0x81010001, or remove it for the default.",
    defaultNote: "the one that the TCG reserves",
  }),
  BLF_TPM_AK_HANDLE: optional(textTo(readHandle), {
    description: "Persistent handle of the TPM's attestation key, `0x` and 8 hex digits.",
    fix: "Write a persistent handle, such as 0x8101b1f0, or remove it for the default.",
    defaultNote: "one of the owner's",
  }),
  BLF_TPM_TCTI: optional(textTo(readText(255)), {
    description: "How tpm2-tools reach the TPM, as their `TPM2TOOLS_TCTI`.",
    fix: "Write a TCTI such as device:/dev/tpmrm0, or remove it for the default.",
    defaultNote: "`device:/dev/tpmrm0`",
  }),
};

/** `ID=KEY` items; each id once. */
export function readWorkerKeys(text: string): Reading<WorkerKey[]> {
  const items = splitList(text);
  if (items.length === 0) return problem("malformed", "holds no key");
  if (items.length > WORKER_KEYS_MAX) return problem("out-of-range", `must hold at most ${WORKER_KEYS_MAX} keys`);
  const keys: WorkerKey[] = [];
  const problems: Problem[] = [];
  items.forEach((item, index) => {
    const where = `(key ${index + 1} of ${items.length}) `;
    const match = /^([\w.:-]{1,64})=(.*)$/.exec(item);
    const key = readKey32(match?.[2] ?? "");
    if (match?.[1] === undefined) {
      problems.push({ code: "malformed", message: `${where}must be ID=KEY, the id of letters, digits and . : _ -` });
    } else if (!key.ok) problems.push(...key.refusal.map((found) => ({ ...found, message: where + found.message })));
    else if (keys.some(({ id }) => id === match[1])) {
      problems.push({
        code: "duplicate",
        message: `${where}repeats an earlier id`,
        fix: "Give each key an id of its own.",
      });
    } else keys.push({ id: match[1], publicKey: key.value.reveal() });
  });
  return problems.length > 0 ? { ok: false, refusal: problems } : ok(keys);
}

function readOrigins(text: string): Reading<string[]> {
  const items = splitList(text);
  if (items.length === 0) return problem("malformed", "holds no origin");
  const origins: string[] = [];
  for (const item of items) {
    const url = readUrl(item);
    if (!url.ok) return url;
    const { origin, pathname } = new URL(url.value);
    if (pathname !== "/") return problem("malformed", "must hold origins without a path");
    origins.push(origin);
  }
  return ok([...new Set(origins)]);
}

function readPaths(text: string): Reading<string[]> {
  const paths = splitList(text);
  if (paths.length === 0) return problem("malformed", "holds no path");
  if (paths.length > PATHS_MAX) return problem("out-of-range", `must hold at most ${PATHS_MAX} paths`);
  if (paths.some((path) => path.length > PATH_MAX)) return problem("malformed", "holds a path that is too long");
  return ok([...new Set(paths)]);
}

function readHandle(text: string): Reading<number> {
  if (!/^0x81[0-9a-fA-F]{6}$/.test(text))
    return problem("malformed", "must be a persistent handle, 0x81 and 6 hex digits");
  return ok(Number.parseInt(text.slice(2), 16));
}
