/** What the real wrangler says when Cloudflare refuses or fails and what becomes of it; and that plain wrangler does the same. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseAccount } from "../../cli/deploy/account.ts";
import { wranglerConfig } from "../../cli/deploy/config.ts";
import { readExisting } from "../../cli/deploy/existing.ts";
import { upload } from "../../cli/deploy/upload.ts";
import { createWrangler, installedWrangler, wranglerEnv } from "../../cli/deploy/wrangler.ts";
import { Secret } from "../../core/secret.ts";
import { type Account, newAccount } from "../cloudflare-api/account.ts";
import { type CloudflareApi, startCloudflareApi } from "../cloudflare-api/server.ts";

const TOKEN = "a-token-of-the-operator-0123456789";
const SCRIPT = "export class Node {} export class Assignment {} export default {};";

let account: Account;
let api: CloudflareApi;
let folder: string;
let stop: AbortController;

beforeEach(async () => {
  account = newAccount("Mine", "operator");
  account.databases.push({ uuid: crypto.randomUUID(), name: "my-node" });
  api = await startCloudflareApi(TOKEN, [account, newAccount("Another", null)]);
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-refusals-"));
  await mkdir(join(folder, "home"));
  await writeFile(join(folder, "worker.js"), SCRIPT);
  stop = new AbortController();
});

afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

function environment(token: string = TOKEN) {
  return {
    PATH: process.env.PATH,
    HOME: join(folder, "home"),
    CLOUDFLARE_API_BASE_URL: api.url,
    CLOUDFLARE_ACCOUNT_ID: account.id,
    ...(token === "" ? {} : { CLOUDFLARE_API_TOKEN: token }),
  };
}

function wrangler(token?: string) {
  return createWrangler({
    folder,
    env: environment(token),
    redact: (text) => text.replaceAll(TOKEN, "[redacted]"),
    signal: stop.signal,
  });
}

function uploading() {
  const databaseId = account.databases.at(-1)?.uuid ?? "";
  const config = wranglerConfig({
    name: "my-node",
    accountId: account.id,
    databaseName: "my-node",
    databaseId,
    vars: {},
  });
  const secrets = { BLF_ADMIN_TOKEN: new Secret("the-secret-of-this-test") };
  return upload(wrangler(), { folder, script: join(folder, "worker.js"), config, secrets, immediate: false });
}

describe("who you are", () => {
  it("is not known without a login", async () => {
    await expect(chooseAccount(wrangler(""), undefined)).rejects.toMatchObject({
      exit: "refused",
      message: "You are not logged in to Cloudflare. Nothing was done.",
    });
    expect(api.requests).toEqual([]);
  });

  it("is not known to a token that is none", async () => {
    await expect(chooseAccount(wrangler("another-token"), undefined)).rejects.toMatchObject({
      exit: "refused",
      fix: expect.stringContaining("CLOUDFLARE_API_TOKEN"),
    });
  });

  it("has to be said where a login reaches several accounts", async () => {
    await expect(chooseAccount(wrangler(), undefined)).rejects.toMatchObject({
      exit: "usage",
      fix: expect.stringContaining(`Mine (${account.id})`),
    });
  });
});

describe("an upload", () => {
  it.each([
    ["a script that is too large", 413, 10027, "refused", "larger than this plan allows"],
    ["an API that is down", 503, 10013, "failed", "cloudflarestatus.com"],
  ])("meets %s", async (_what, status, code, exit, fix) => {
    api.failures.push({ method: "PUT", path: /scripts\/my-node$/, status, code, message: "the platform's words" });
    await expect(uploading()).rejects.toMatchObject({
      message: expect.stringContaining("the platform's words"),
      fix: expect.stringContaining(fix),
      exit,
    });
    expect(account.scripts.size).toBe(0);
  });

  it("goes on after a failure that passes", async () => {
    api.failures.push({
      method: "PUT",
      path: /scripts\/my-node$/,
      status: 503,
      code: 10013,
      message: "busy",
      times: 1,
    });
    expect(await uploading()).toMatchObject({ url: "https://my-node.operator.workers.dev" });
    expect([...(account.scripts.get("my-node")?.secrets ?? [])]).toEqual([
      ["BLF_ADMIN_TOKEN", "the-secret-of-this-test"],
    ]);
  });

  it("needs a workers.dev subdomain, and uploads nothing before there is one", async () => {
    account.subdomain = null;
    await expect(uploading()).rejects.toMatchObject({
      exit: "refused",
      fix: expect.stringContaining(`https://dash.cloudflare.com/${account.id}/workers/onboarding`),
    });
    expect(account.scripts.size).toBe(0);
  });

  it("stops when it is told to, although the API does not answer", async () => {
    api.failures.push({ method: "PUT", path: /scripts\/my-node$/, status: 0, code: 0, message: "" });
    const watching = setInterval(() => {
      if (api.requests.some((line) => line.startsWith("PUT "))) stop.abort();
    }, 50);
    await expect(uploading()).rejects.toMatchObject({ exit: "interrupted" });
    clearInterval(watching);
  });
});

describe("plain wrangler in a checkout, as the button runs it", () => {
  it("makes the same Worker from wrangler.toml, and its database by itself", async () => {
    account.databases.splice(0);
    await promisify(execFile)(process.execPath, [installedWrangler().program, "deploy", "--name", "by-hand"], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { ...wranglerEnv(environment(), folder), PATH: process.env.PATH },
    });
    expect(api.unknown).toEqual([]);
    account.databases.push({ uuid: "to-be-bound", name: "my-node" });
    await uploading();
    const [byHand, ours] = ["by-hand", "my-node"].map((name) => account.scripts.get(name));
    expect(account.databases.map(({ name }) => name)).toContain("blindference-edge");
    expect(byHand).toMatchObject({ crons: ours?.crons, workersDev: true });
    const shape = (script: typeof ours) => {
      const [version] = script?.versions ?? [];
      const { exports, compatibilityDate, compatibilityFlags, mainModule, observability } = version ?? {};
      const bindings = version?.bindings.map(({ id: _database, ...binding }) => binding);
      return { exports, compatibilityDate, compatibilityFlags, mainModule, observability, bindings };
    };
    expect(shape(byHand)).toEqual(shape(ours));
  });
});

describe("a Worker of the name", () => {
  it("is read as it is: none, settings only, or a version with its bindings", async () => {
    expect(await readExisting(wrangler(), "my-node", account.id)).toBeNull();
    await uploading();
    expect(await readExisting(wrangler(), "my-node", account.id)).toEqual({
      versionId: account.scripts.get("my-node")?.versions[0]?.id,
      objectClasses: ["Node", "Assignment"],
      databaseId: account.databases[0]?.uuid,
      vars: [],
      secrets: ["BLF_ADMIN_TOKEN"],
      others: [],
    });
    account.scripts.get("my-node")?.versions.splice(0);
    expect(await readExisting(wrangler(), "my-node", account.id)).toMatchObject({ versionId: null, objectClasses: [] });
  });
});
