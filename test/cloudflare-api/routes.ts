/**
 * The calls of the API that a deployment makes, each with its method, path and answer. Numbers of errors are the
 * platform's: 10007 no such Worker or subdomain, 10090 no such service, 7404 no such database.
 */
import * as z from "zod";
import { type Account, type Database, deployUpload, type Script, shownBindings } from "./account.ts";
import { ApiRefusal, readUpload } from "./upload.ts";

export interface Call {
  accounts: readonly Account[];
  account: Account | undefined;
  name: string;
  id: string;
  query: URLSearchParams;
  body: Response;
}

interface Route {
  method: string;
  path: RegExp;
  answer(call: Call): Promise<{ result: unknown; result_info?: unknown }>;
}

const SCRIPT = "/workers/scripts/:name";

export const ROUTES: readonly Route[] = [
  route("GET", "/user", async () => ({ id: "u", email: "operator@example.com" })),
  route("GET", "/user/tokens/verify", async () => ({ id: "t", status: "active" })),
  route("GET", "/accounts", async ({ accounts }) => accounts.map(({ id, name }) => ({ id, name }))),
  route("GET", "/memberships", async ({ accounts }) =>
    accounts.map(({ id, name }) => ({ id: `m-${id}`, account: { id, name } })),
  ),
  inAccount("GET", "/workers/subdomain", async (account) => {
    if (account.subdomain === null) throw new ApiRefusal(404, 10007, "no workers.dev subdomain");
    return { subdomain: account.subdomain };
  }),
  inAccount("GET", "/d1/database", async (account, { query }) => {
    const wanted = query.get("name");
    return account.databases.filter(({ name }) => wanted === null || name === wanted);
  }),
  inAccount("POST", "/d1/database", async (account, { body }) => {
    const { name } = z.object({ name: z.string().regex(/^[a-z0-9][a-z0-9-_]*$/) }).parse(await body.json());
    if (account.databases.some((one) => one.name === name)) {
      throw new ApiRefusal(400, 7502, `A database with the name ${name} already exists`);
    }
    const database: Database = { uuid: crypto.randomUUID(), name };
    account.databases.push(database);
    return database;
  }),
  inAccount("GET", "/d1/database/:name", async (account, { name }) => {
    const found = account.databases.find((one) => one.uuid === name || one.name === name);
    if (found === undefined) throw new ApiRefusal(404, 7404, "The database could not be found");
    return found;
  }),
  inAccount("GET", "/workers/services/:name", async (account, { name }) => {
    const script = account.scripts.get(name);
    if (script === undefined) throw new ApiRefusal(404, 10090, "This service does not exist on your account");
    const { tag, lastDeployedFrom } = script;
    return {
      default_environment: { environment: "production", script: { tag, last_deployed_from: lastDeployedFrom } },
    };
  }),
  ofScript("GET", `${SCRIPT}/secrets`, async ({ secrets }) =>
    [...secrets.keys()].map((name) => ({ name, type: "secret_text" })),
  ),
  inAccount("PUT", `${SCRIPT}/secrets`, async (account, { name, body }) => {
    const script = account.scripts.get(name);
    if (script === undefined) throw new ApiRefusal(404, 10007, "This Worker does not exist on your account");
    const secret = z.object({ name: z.string(), text: z.string(), type: z.literal("secret_text") });
    const { name: key, text } = secret.parse(await body.json());
    script.secrets.set(key, text);
    return { name: key, type: "secret_text" };
  }),
  ofScript("GET", `${SCRIPT}/deployments`, async ({ versions }) => {
    const latest = versions.at(-1);
    return { deployments: latest === undefined ? [] : [deployment(latest.id)] };
  }),
  ofScript("GET", `${SCRIPT}/versions/:id`, async (script, { id }) => {
    const version = script.versions.find((one) => one.id === id);
    if (version === undefined) throw new ApiRefusal(404, 10007, "no such version");
    const { compatibilityDate, compatibilityFlags } = version;
    return {
      id,
      number: script.versions.indexOf(version) + 1,
      metadata: { created_on: "2026-11-01T00:00:00Z", author_email: "operator@example.com", source: "wrangler" },
      resources: {
        script: { etag: id, handlers: ["fetch", "scheduled"] },
        script_runtime: { compatibility_date: compatibilityDate, compatibility_flags: compatibilityFlags },
        bindings: shownBindings(script),
      },
    };
  }),
  inAccount("PUT", SCRIPT, async (account, { name, query, body }) => {
    if (query.get("excludeScript") !== "true") throw new ApiRefusal(400, 10021, "the answer would hold the script");
    const upload = await readUpload(account, await body.formData());
    const version = deployUpload(account, name, upload);
    return { id: name, etag: version.id, deployment_id: version.id, startup_time_ms: 20 };
  }),
  ofScript("GET", `${SCRIPT}/settings`, async (script) => ({ bindings: shownBindings(script) })),
  ofScript("PATCH", `${SCRIPT}/script-settings`, async (script, { body }) => {
    Object.assign(script.settings, await body.json());
    return script.settings;
  }),
  inAccount("GET", "/workers/workers/:name", async (account, { name }) => {
    const script = scriptOf(account, name);
    return { name, subdomain: { enabled: script.workersDev, previews_enabled: false } };
  }),
  ofScript("POST", `${SCRIPT}/subdomain`, async (script, { body }) => {
    const wanted = z
      .object({ enabled: z.boolean(), previews_enabled: z.boolean().optional() })
      .parse(await body.json());
    script.workersDev = wanted.enabled;
    return { enabled: wanted.enabled, previews_enabled: wanted.previews_enabled ?? false };
  }),
  ofScript("PUT", `${SCRIPT}/schedules`, async (script, { body }) => {
    const schedules = z.array(z.strictObject({ cron: z.string() })).parse(await body.json());
    script.crons = schedules.map(({ cron }) => cron);
    return { schedules };
  }),
];

function deployment(versionId: string) {
  return {
    id: `d-${versionId}`,
    strategy: "percentage",
    source: "wrangler",
    author_email: "operator@example.com",
    created_on: "2026-11-01T00:00:00Z",
    versions: [{ version_id: versionId, percentage: 100 }],
  };
}

function scriptOf(account: Account, name: string): Script {
  const script = account.scripts.get(name);
  if (script === undefined) throw new ApiRefusal(404, 10007, "This Worker does not exist on your account");
  return script;
}

function route(method: string, path: string, answer: (call: Call) => Promise<unknown>): Route {
  const pattern = path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)");
  return {
    method,
    path: new RegExp(`^${pattern}$`),
    async answer(call) {
      const result = await answer(call);
      const total = Array.isArray(result) ? result.length : 1;
      return { result, result_info: { page: 1, per_page: 100, count: total, total_count: total, total_pages: 1 } };
    },
  };
}

function inAccount(method: string, path: string, answer: (account: Account, call: Call) => Promise<unknown>): Route {
  return route(method, `/accounts/:account${path}`, (call) => {
    if (call.account === undefined) throw new Error("no account in the path");
    return answer(call.account, call);
  });
}

function ofScript(method: string, path: string, answer: (script: Script, call: Call) => Promise<unknown>): Route {
  return inAccount(method, path, (account, call) => answer(scriptOf(account, call.name), call));
}
