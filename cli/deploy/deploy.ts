/**
 * A deployment from the settings here to a node that answers and is attested: check, look, say, ask, upload, wait, attest.
 * Refuses faulty settings and another program's Worker. Everything may be repeated: what is there is found again, all
 * secrets that are set here are sent each time, others stay.
 */
import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { blotter } from "../../core/log.ts";
import { systemClock } from "../../core/ports.ts";
import { secretsIn } from "../../core/settings/secrets.ts";
import { VERSION } from "../../core/version.ts";
import { changeEnvFile } from "../env-file.ts";
import type { Environment } from "../environment.ts";
import { CliError } from "../errors.ts";
import type { Io } from "../io.ts";
import { createNodeApi } from "../node-api.ts";
import { chooseAccount } from "./account.ts";
import { type AttestOutcome, attest } from "./attest.ts";
import { splitBindings, type WorkerBindings } from "./bindings.ts";
import { checkSettings } from "./check.ts";
import { wranglerConfig } from "./config.ts";
import { chooseDatabase, createDatabase, listDatabases } from "./database.ts";
import { readExisting } from "./existing.ts";
import { type DeployPlan, makePlan, planLines } from "./plan.ts";
import { waitUntilReady } from "./ready.ts";
import { type Uploaded, upload } from "./upload.ts";
import { createWrangler, interrupted, type Wrangler } from "./wrangler.ts";

export interface DeployOptions {
  name: string;
  account?: string;
  /** Default: the Worker's name. */
  database?: string;
  /** Default: the workers.dev address. */
  url?: string;
  /** The built Worker; default: the one beside this program. */
  worker?: string;
  dryRun?: boolean;
  overwrite?: boolean;
  immediate?: boolean;
  yes?: boolean;
  json?: boolean;
}

export interface Deployed {
  plan: DeployPlan;
  /** Null after a dry run. */
  deployed: { url: string; versionId: string; attest: AttestOutcome } | null;
}

interface Site {
  io: Io;
  env: Environment;
  signal: AbortSignal;
  folder: string;
}

/** What wrangler reads of the environment to know you and the API. */
const CREDENTIALS = ["TOKEN", "KEY"].map((kind) => `CLOUDFLARE_API_${kind}`);
const TARGETS = ["CLOUDFLARE_EMAIL", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_BASE_URL"];

/** Throws CliError. */
export async function deploy(options: DeployOptions, io: Io, env: Environment, signal: AbortSignal): Promise<Deployed> {
  const folder = await mkdtemp(join(tmpdir(), "blindference-edge-deploy-"));
  // Also where the process is ended from inside a prompt.
  const atExit = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", atExit);
  try {
    return await deployFrom(options, { io, env, signal, folder });
  } catch (error) {
    throw signal.aborted ? interrupted() : error;
  } finally {
    process.off("exit", atExit);
    await rm(folder, { recursive: true, force: true });
  }
}

async function deployFrom(options: DeployOptions, site: Site): Promise<Deployed> {
  const { io } = site;
  const survey = await look(options, site);
  const { plan } = survey;
  for (const line of planLines(plan)) (options.json === true ? io.note : io.print)(line);
  if (plan.worker === "overwrite" && options.overwrite !== true) throw anotherProgram(options.name);
  if (options.dryRun === true) return { plan, deployed: null };
  await io.confirm("Deploy this to Cloudflare?", options.yes === true);
  const uploaded = await putUp(options, site, survey);
  const url = options.url ?? uploaded.url;
  return { plan, deployed: { url, versionId: uploaded.versionId, attest: await bringUp(url, site) } };
}

interface Survey {
  plan: DeployPlan;
  bindings: WorkerBindings;
  script: { path: string; bytes: Uint8Array };
  wrangler: Wrangler;
}

/** Everything that can be known and checked without changing anything. */
async function look(options: DeployOptions, site: Site): Promise<Survey> {
  const { io, env } = site;
  const settings = await env.forWorker();
  checkSettings(settings, io.note);
  const bindings = splitBindings(settings);
  const script = await readScript(options.worker);
  const wranglerAs = await wranglerFor(site, settings);
  const account = await io.progress(
    "Asking Cloudflare who you are",
    () => chooseAccount(wranglerAs(undefined), options.account ?? env.get("CLOUDFLARE_ACCOUNT_ID")),
    ({ name, id }) => `Account: ${name} (${id})`,
  );
  const wrangler = wranglerAs(account.id);
  const [existing, databases] = await io.progress("Looking at what is deployed", () =>
    Promise.all([readExisting(wrangler, options.name, account.id), listDatabases(wrangler, account.id)]),
  );
  const database = chooseDatabase(databases, options.database ?? options.name, existing?.databaseId ?? null);
  const plan = makePlan({ account, name: options.name, existing, database, script: script.bytes, bindings });
  return { plan, bindings, script, wrangler };
}

async function putUp(options: DeployOptions, { io, folder }: Site, survey: Survey): Promise<Uploaded> {
  const { plan, bindings, script, wrangler } = survey;
  const { account, database } = plan;
  const config = wranglerConfig({
    name: plan.name,
    accountId: account.id,
    databaseName: database.name,
    databaseId: database.id ?? (await createDatabase(wrangler, database.name, account.id)),
    vars: bindings.vars,
  });
  const { secrets } = bindings;
  return io.progress(
    "Uploading code, settings and secrets",
    () => upload(wrangler, { folder, script: script.path, config, secrets, immediate: options.immediate === true }),
    ({ versionId, url }) => `Version ${versionId} is in service at ${url}`,
  );
}

/** From an uploaded Worker to an attested node; its address is kept for the other commands first of all. */
async function bringUp(url: string, { io, env, signal }: Site): Promise<AttestOutcome> {
  await remember(url, env, io);
  const other = process.env.BLF_NODE_URL;
  if (other !== undefined && other !== url)
    io.note("BLF_NODE_URL is also set in this shell, to another address, and wins there.");
  const api = createNodeApi(env, { url });
  await io.progress(
    `Waiting for ${url}/healthz`,
    (say) => waitUntilReady(api, VERSION, { clock: systemClock, signal }, say),
    () => "The node answers, its settings are in order",
  );
  return attest(api, env, io);
}

/** A settings file that cannot take it ends no deployment: the Worker is up already. */
async function remember(url: string, { envFile }: Environment, io: Io): Promise<void> {
  try {
    const isNew = await changeEnvFile(envFile, { set: { BLF_NODE_URL: url } });
    if (isNew) io.note(`BLF_NODE_URL=${url} is written to ${envFile}`);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    io.note(`${error.message} Write BLF_NODE_URL=${url} into it by hand.`);
  }
}

/** @returns wrangler in the name of an account, or before one is chosen */
async function wranglerFor({ env, signal, folder }: Site, settings: Record<string, string>) {
  const given = await Promise.all(
    [...CREDENTIALS, ...TARGETS].map(async (name) => [name, await env.secret(name)] as const),
  );
  const known = Object.fromEntries(
    given.flatMap(([name, secret]) => (secret === null ? [] : [[name, secret.reveal()]])),
  );
  const redact = blotter([...secretsIn(settings), ...CREDENTIALS.flatMap((name) => known[name] ?? [])]);
  return (accountId: string | undefined): Wrangler => {
    const account = accountId === undefined ? {} : { CLOUDFLARE_ACCOUNT_ID: accountId };
    return createWrangler({ folder, env: { ...process.env, ...known, ...account }, redact, signal });
  };
}

async function readScript(given: string | undefined): Promise<{ path: string; bytes: Uint8Array }> {
  const path = given ?? fileURLToPath(new URL("./worker/index.js", import.meta.url));
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    throw new CliError(`There is no built Worker at ${path}.`, { fix: "Run `npm run build` first.", cause: error });
  }
}

function anotherProgram(name: string): CliError {
  return new CliError(`The Worker ${name} is another program's. Nothing was done.`, {
    fix: "Choose another --name. If it may go, with all that its objects hold: --overwrite.",
    exit: "refused",
  });
}
