/** `deploy` as an operator runs it: the real wrangler against a server that plays the Cloudflare API. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generatePrivateKey } from "viem/accounts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLocalWorker } from "../../cli/local-worker.ts";
import { VERSION } from "../../core/version.ts";
import { type Account, newAccount, newScript } from "../cloudflare-api/account.ts";
import { newOperator, type Operator, type Ran, startNode } from "../cloudflare-api/operator.ts";
import { type CloudflareApi, startCloudflareApi } from "../cloudflare-api/server.ts";
import { filesWith, type Witness, watch } from "../cloudflare-api/witness.ts";

const WORKER = fileURLToPath(new URL("../../dist/worker/index.js", import.meta.url));
const random = () => randomBytes(24).toString("hex");
const API_TOKEN = random();
const PASSWORD = random();
const privateKey = generatePrivateKey();
const rpcKey = random();
const sealed = {
  BLF_ADMIN_TOKEN: random(),
  BLF_STORAGE_KEY: randomBytes(32).toString("hex"),
  GROQ_API_KEY: `gsk_${random()}`,
};
const RPC_URL = `https://arb-sepolia.g.alchemy.com/v2/${rpcKey}`;
const MARKERS = [privateKey.slice(2), ...Object.values(sealed), rpcKey, PASSWORD, API_TOKEN];
const dotEnv = { BLF_RPC_URL: RPC_URL, BLF_ROLES: "verifier", BLF_MAX_CONCURRENT_JOBS: "3" };

let account: Account;
let api: CloudflareApi;
let node: Awaited<ReturnType<typeof startNode>>;
let operator: Operator;
let witness: Witness;
let first: Ran;
const run = (...args: string[]) =>
  operator.run(["--yes", "--worker", WORKER, "--url", node.url, ...args], {
    CLOUDFLARE_API_BASE_URL: api.url,
    CLOUDFLARE_API_TOKEN: API_TOKEN,
    BLF_KEY_PASSWORD: PASSWORD,
  });
const deployed = () => account.scripts.get("blindference-edge");

beforeAll(async () => {
  account = newAccount("Operator's account", "operator");
  api = await startCloudflareApi(API_TOKEN, [account]);
  node = await startNode(VERSION, sealed.BLF_ADMIN_TOKEN);
  operator = await newOperator(dotEnv, { privateKey, password: PASSWORD, secrets: sealed });
  // The password is the command's own, and the token wrangler's: both are in their environments.
  witness = watch(
    MARKERS.filter((marker) => marker !== API_TOKEN),
    join(operator.folder, "tmp"),
  );
  first = await run("--json");
  witness.stop();
  // Five runs of wrangler, on a machine that does other things too.
}, 400_000);

afterAll(async () => {
  await api.close();
  node.close();
  await operator.remove();
});

describe("a first deployment", () => {
  it("ends well, and tells what it did as one JSON document", () => {
    expect(first).toMatchObject({ code: 0 });
    expect(JSON.parse(first.stdout)).toMatchObject({
      plan: { worker: "new", name: "blindference-edge", database: { create: true }, version: VERSION },
      deployed: { url: node.url, versionId: deployed()?.versions[0]?.id, attest: "attested" },
    });
  });

  it("asks nothing of the API that the API does not know", () => {
    expect(api.unknown).toEqual([]);
  });

  it("uploads exactly the built Worker, with its date and flag", async () => {
    const [version, ...more] = deployed()?.versions ?? [];
    expect(more).toEqual([]);
    expect([...(version?.modules.keys() ?? [])]).toEqual(["index.js"]);
    expect(version?.modules.get("index.js")).toEqual({
      type: "application/javascript+module",
      bytes: await readFile(WORKER),
    });
    expect(version).toMatchObject({ mainModule: "index.js", observability: { enabled: true } });
    expect(readFileSync("wrangler.toml", "utf8")).toContain(`compatibility_date = "${version?.compatibilityDate}"`);
    expect(version?.compatibilityFlags).toEqual(["nodejs_compat"]);
  });

  it("binds both object classes with SQLite, the new database and the limits", () => {
    const [database, ...more] = account.databases;
    expect([database?.name, ...more]).toEqual(["blindference-edge"]);
    const [version] = deployed()?.versions ?? [];
    expect(version?.exports).toEqual({
      Node: { type: "durable-object", storage: "sqlite" },
      Assignment: { type: "durable-object", storage: "sqlite" },
    });
    expect(version?.bindings.filter(({ type }) => type !== "plain_text")).toEqual([
      { type: "durable_object_namespace", name: "NODE", class_name: "Node" },
      { type: "durable_object_namespace", name: "ASSIGNMENT", class_name: "Assignment" },
      { type: "d1", name: "DB", id: database?.uuid },
      { type: "ratelimit", name: "REQUEST_LIMIT", namespace_id: "1001", simple: { limit: 1000, period: 60 } },
      { type: "ratelimit", name: "SIGN_IN_LIMIT", namespace_id: "1002", simple: { limit: 20, period: 60 } },
    ]);
  });

  it("gives what is a secret as a secret and the rest as variables", () => {
    expect(Object.fromEntries(deployed()?.secrets ?? [])).toEqual({
      ...sealed,
      BLF_PRIVATE_KEY: privateKey,
      BLF_RPC_URL: RPC_URL,
    });
    expect(deployed()?.versions[0]?.bindings.filter(({ type }) => type === "plain_text")).toEqual([
      { type: "plain_text", name: "BLF_MAX_CONCURRENT_JOBS", text: "3" },
      { type: "plain_text", name: "BLF_ROLES", text: "verifier" },
    ]);
  });

  it("brings the secrets with the first version, so that none ran without them", () => {
    const writes = api.requests.filter((line) => /^(PUT|POST|PATCH) .*\/workers\/scripts\//.test(line));
    expect(writes.map((line) => line.replace(/^(\w+) .*\/blindference-edge/, "$1 "))).toEqual([
      "PUT ",
      "POST /subdomain",
      "PUT /schedules",
    ]);
  });

  it("puts the Worker on workers.dev with a cron each minute", () => {
    expect(deployed()).toMatchObject({ workersDev: true, crons: ["* * * * *"] });
  });

  it("waits for the node, attests it, and keeps its address for the other commands", async () => {
    expect(node.asked).toEqual(["GET /healthz", "POST /api/attest"]);
    const text = await readFile(join(operator.settings, ".env"), "utf8");
    expect(text).toBe(
      `BLF_RPC_URL=${RPC_URL}\nBLF_ROLES=verifier\nBLF_MAX_CONCURRENT_JOBS=3\nBLF_NODE_URL=${node.url}\n`,
    );
  });

  it("shows no secret on the terminal, on a command line, to wrangler's environment, or in a file", () => {
    expect(witness.seen).toBeGreaterThan(0);
    expect([...witness.found]).toEqual([]);
    for (const marker of MARKERS) expect(first.stdout + first.stderr).not.toContain(marker);
    // What the operator wrote there is still there, and nothing else.
    expect(filesWith(MARKERS, operator.folder)).toEqual([join(operator.settings, ".env")]);
    expect(readdirSync(join(operator.folder, "tmp"))).toEqual([]);
  });

  it("uploads what runs in workerd with these settings and finds none of them at fault", async () => {
    const [version] = deployed()?.versions ?? [];
    const folder = await mkdtemp(join(tmpdir(), "blindference-edge-uploaded-"));
    const script = join(folder, "index.js");
    await writeFile(script, version?.modules.get("index.js")?.bytes ?? "");
    const texts = version?.bindings.flatMap(({ name, text }) => (typeof text === "string" ? [[name, text]] : [])) ?? [];
    const bindings = Object.fromEntries([...texts, ...(deployed()?.secrets ?? [])]);
    const worker = await startLocalWorker({
      script,
      stateDir: folder,
      host: "127.0.0.1",
      port: 0,
      bindings,
      onLog() {},
    });
    try {
      const health = await fetch(`${worker.url}/healthz`);
      expect([health.status, await health.json()]).toEqual([200, { status: "ok", version: VERSION }]);
    } finally {
      await worker.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a second deployment", () => {
  it("updates the Worker, keeps its database and the secrets that are not set here, and says so", async () => {
    deployed()?.secrets.set("PINATA_JWT", "set by hand");
    await writeFile(join(operator.settings, ".env"), `BLF_RPC_URL=${RPC_URL}\nBLF_ROLES=verifier\n`);
    const { code, stdout, stderr } = await run("--immediate");
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Worker +blindference-edge \(is there, gets a new version\)$/m);
    expect(stdout).toMatch(/^Database +blindference-edge \(D1\), is there$/m);
    expect(stdout).toMatch(/^Kept +PINATA_JWT \(/m);
    expect(stdout).toMatch(/^Removed +BLF_MAX_CONCURRENT_JOBS \(/m);
    expect(stdout).toContain(node.url);
    expect(account.databases).toHaveLength(1);
    expect(deployed()?.versions).toHaveLength(2);
    expect(deployed()?.versions[1]).toMatchObject({ codeUpdate: "immediate" });
    expect([...(deployed()?.secrets.keys() ?? [])].sort()).toEqual(
      ["BLF_PRIVATE_KEY", "BLF_RPC_URL", "PINATA_JWT", ...Object.keys(sealed)].sort(),
    );
  });
});

describe("a dry run", () => {
  it("says that a Worker of the name is another program's, and changes nothing", async () => {
    const foreign = newScript("taken");
    foreign.versions.push({
      id: "00000000-0000-4000-8000-000000000001",
      mainModule: "index.js",
      modules: new Map(),
      bindings: [{ type: "durable_object_namespace", name: "ROOM", class_name: "ChatRoom" }],
      exports: {},
      compatibilityDate: "2026-01-01",
      compatibilityFlags: [],
      keepBindings: [],
      observability: {},
      codeUpdate: "deferred",
    });
    account.scripts.set("taken", foreign);
    const before = api.requests.length;
    const { code, stdout, stderr } = await run("--dry-run", "--name", "taken");
    expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining("is another program's") });
    expect(stdout).toContain("ChatRoom (object class)");
    expect(api.requests.slice(before).filter((line) => !line.startsWith("GET "))).toEqual([]);
  });
});

describe("a deployment that is stopped", () => {
  it("ends as interrupted, with nothing left running and no temporary file", async () => {
    api.failures.push({ method: "GET", path: /^\/user\/tokens\/verify$/, status: 0, code: 0, message: "", times: 1 });
    const before = api.requests.length;
    const running = run();
    while (api.requests.length === before) await sleep(50);
    operator.interrupt();
    const { code, stderr } = await running;
    expect({ code, stderr }).toEqual({ code: 130, stderr: expect.stringContaining("Stopped.") });
    expect(readdirSync(join(operator.folder, "tmp"))).toEqual([]);
  });
});

describe("settings at fault", () => {
  it("are all named, and nothing is asked of Cloudflare", async () => {
    const before = api.requests.length;
    await writeFile(join(operator.settings, "faulty.env"), "BLF_RPC_URL=http://127.0.0.1:8545\nBLF_ROLES=follower\n");
    const { code, stdout, stderr } = await run("--env-file", "faulty.env");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("BLF_RPC_URL points at this machine");
    expect(stderr).toContain("fault: BLF_ROLES:");
    expect(api.requests).toHaveLength(before);
  });
});

describe("a search for secrets", () => {
  it("finds one that is planted on a command line or in a file", async () => {
    const planted = random();
    const watching = watch([planted], join(operator.folder, "tmp"));
    await writeFile(join(operator.folder, "tmp", "planted"), Buffer.from(`..${planted}..`).toString("base64"));
    await operator.run([`--${planted}`], {});
    watching.stop();
    const file = join(operator.folder, "tmp", "planted");
    expect(watching.found).toContain(file);
    watching.found.delete(file);
    expect([...watching.found]).toEqual([expect.stringContaining("command line: ")]);
    expect(filesWith([planted], operator.folder)).toEqual([file]);
  });
});
