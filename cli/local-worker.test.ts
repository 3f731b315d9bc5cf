import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalWorker, startLocalWorker } from "./local-worker.ts";

/** Says who it thinks that its client is. */
const WORKER = `
import { DurableObject } from "cloudflare:workers";
export class Node extends DurableObject {}
export class Assignment extends DurableObject {}
export default {
  fetch: (request) => new Response(request.headers.get("cf-connecting-ip")),
  scheduled() {},
};`;

/** workerd starts in a second, on a machine that does much else in many. */
const START_TIMEOUT_MS = 60_000;

let folder: string;
let worker: LocalWorker;
let left: string;
const stateDir = () => join(folder, "state");
const start = (port: number) =>
  startLocalWorker({
    script: join(folder, "worker.mjs"),
    stateDir: stateDir(),
    host: "127.0.0.1",
    port,
    bindings: {},
    onLog: () => undefined,
  });
const miniflareFolders = async (where: string) =>
  (await readdir(where)).filter((name) => /^miniflare-[0-9a-f]{32}$/.test(name)).toSorted();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-local-"));
  await writeFile(join(folder, "worker.mjs"), WORKER);
  left = join(stateDir(), "tmp", "miniflare-of-a-node-that-was-killed");
  await mkdir(left, { recursive: true });
  worker = await start(0);
}, START_TIMEOUT_MS);

afterAll(async () => {
  await worker?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("counts a client by its socket's address, not by the one it claims", async () => {
  for (const headers of [{}, { "cf-connecting-ip": "192.0.2.7" }, { "mf-cf-blob": '{"clientIp":"192.0.2.7:1"}' }]) {
    expect(await (await fetch(worker.url, { headers })).text()).toBe("127.0.0.1");
  }
});

it("keeps what is temporary in the state folder, where the next start empties it", async () => {
  expect(existsSync(left)).toBe(false);
  expect(await miniflareFolders(join(stateDir(), "tmp"))).toHaveLength(1);
});

it("leaves the folder of a node alone that has its port", async () => {
  const before = await miniflareFolders(join(stateDir(), "tmp"));
  await expect(start(Number(new URL(worker.url).port))).rejects.toThrow("EADDRINUSE");
  expect(await miniflareFolders(join(stateDir(), "tmp"))).toEqual(before);
  expect(await (await fetch(worker.url)).text()).toBe("127.0.0.1");
});
