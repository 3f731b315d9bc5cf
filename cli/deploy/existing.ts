/**
 * What is deployed under a name already, as far as its bindings tell. Whose Worker it is, is decided by its object classes:
 * overwriting another program's Worker would cut off its objects.
 */
import * as z from "zod";
import { SETTING_NAMES } from "../../core/settings/settings.ts";
import { WORKER } from "../local-worker.ts";
import { parseJson } from "../parse-json.ts";
import { refusal } from "./refusals.ts";
import type { Wrangler } from "./wrangler.ts";

export interface ExistingWorker {
  /** Null where nothing was put into service yet: secrets were set before the first deployment. */
  versionId: string | null;
  objectClasses: readonly string[];
  databaseId: string | null;
  vars: readonly string[];
  secrets: readonly string[];
  /** Bindings of other kinds, as `NAME (kind)`. */
  others: readonly string[];
}

/** No such Worker, no such service. */
const ABSENT = [10007, 10090];
const OWN_KINDS = ["durable_object_namespace", "d1", "plain_text", "json", "secret_text", "ratelimit"];

const deployment = z.object({ versions: z.array(z.object({ version_id: z.string(), percentage: z.number() })).min(1) });
const version = z.object({
  resources: z.object({
    bindings: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        class_name: z.string().optional(),
        id: z.string().optional(),
        database_id: z.string().optional(),
      }),
    ),
  }),
});

/** Null where no Worker has this name. Throws CliError. */
export async function readExisting(wrangler: Wrangler, name: string, accountId: string) {
  const status = await wrangler("deployments", "status", "--json", "--name", name);
  if (!status.ok && status.code !== null && ABSENT.includes(status.code)) return null;
  if (!status.ok && /has no deployments/.test(status.reason)) return nothingYet();
  const serving = deployment.safeParse(parseJson(status.stdout)).data;
  if (!status.ok || serving === undefined) throw refusal("Looking up the Worker", status, accountId);
  const [{ version_id: versionId } = { version_id: "" }] = serving.versions.toSorted(
    (a, b) => b.percentage - a.percentage,
  );
  const view = await wrangler("versions", "view", versionId, "--json", "--name", name);
  const shown = version.safeParse(parseJson(view.stdout)).data;
  if (!view.ok || shown === undefined) throw refusal("Looking up the Worker's version", view, accountId);
  return fromBindings(versionId, shown.resources.bindings);
}

/** Whether it is a node of ours, or what `wrangler secret put` leaves before the first deployment. */
export function isNode(worker: ExistingWorker): boolean {
  const { objectClasses, others, vars, secrets } = worker;
  const draft = objectClasses.length === 0 && others.length === 0;
  if (draft) return [...vars, ...secrets].every((name) => SETTING_NAMES.includes(name));
  return Object.values(WORKER.durableObjects).every((name) => objectClasses.includes(name));
}

function nothingYet(): ExistingWorker {
  return { versionId: null, objectClasses: [], databaseId: null, vars: [], secrets: [], others: [] };
}

function fromBindings(versionId: string, bindings: z.infer<typeof version>["resources"]["bindings"]): ExistingWorker {
  const named = (...types: string[]) => bindings.filter(({ type }) => types.includes(type)).map(({ name }) => name);
  const database = bindings.find(({ type, name }) => type === "d1" && name === WORKER.database);
  return {
    versionId,
    objectClasses: bindings.flatMap(({ class_name }) => (class_name === undefined ? [] : [class_name])),
    databaseId: database?.database_id ?? database?.id ?? null,
    vars: named("plain_text", "json"),
    secrets: named("secret_text"),
    others: bindings.filter(({ type }) => !OWN_KINDS.includes(type)).map(({ name, type }) => `${name} (${type})`),
  };
}
