/** A quorum of one node in edge mode and two whose keys, prompts and models are on a sidecar. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devAccount, devPrivateKey, nodeIndex } from "../../devnet/chain/accounts.ts";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import { untilLive } from "../../devnet/edge-nodes.ts";
import { listen } from "../../devnet/http.ts";
import { createCompletionsServer, LOCAL_MODEL } from "../../devnet/models/completions.ts";
import type { LocalNetwork } from "../../devnet/network.ts";
import type { UserResult } from "../../devnet/user/user.ts";
import { folderPlaces } from "../canary/places.ts";
import { type Reach, startReach } from "../canary/reach.ts";
import { outputKeySecrets, promptKeySecrets } from "../canary/run.ts";
import { type Place, type Secret, search } from "../canary/search.ts";
import { keySecrets } from "../canary/secrets.ts";
import { token } from "../canary/token.ts";
import { byRpcCall, type Recorder, startRecorder } from "../canary/traffic.ts";
import { eventually } from "../eventually.ts";
import { addressesOf, type Rig, startRig } from "./rig.ts";
import { type SidecarProcess, startSidecarProcess, workerSettings } from "./sidecar-process.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/blindference-edge.js", import.meta.url));
/** The others have a sidecar each. */
const EDGE = 0;
const SIDECARS = [1, 2];
const STORAGE_KEY = "5c".repeat(31);
/** Backends are the sidecar's: the Worker is told of none. */
const NO_BACKENDS = { OPENAI_BASE_URL: "", OPENAI_API_KEY: "", GROQ_API_KEY: "", GOOGLE_API_KEY: "" };

interface Hosted {
  process: SidecarProcess;
  /** Between the Worker and the sidecar. */
  recorder: Recorder;
}

let dir: string;
let model: { url: string; asked: number; hold: Promise<void>; close(): Promise<void> };
let reach: Reach;
let rpc: Recorder;
let rig: Rig;
const hosted = new Map<number, Hosted>();
const jobs: { id: string; prompt: string; result: UserResult }[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-sidecars-"));
  model = await startModel();
  reach = await startReach();
  rpc = await startRecorder("sidecar-rpc", byRpcCall);
  rig = await startRig({ models: [], env: settingsOf });
}, 120_000);

afterAll(async () => {
  await rig?.stop();
  await Promise.all([...hosted.values()].map(({ process }) => process.kill()));
  await Promise.all([...hosted.values()].map(({ recorder }) => recorder.close()));
  await reach?.close();
  await rpc?.close();
  await model?.close();
  await rm(dir, { recursive: true, force: true });
});

/** The devnet's model server behind a door that can be held shut. */
async function startModel(): Promise<typeof model> {
  const server = createCompletionsServer();
  const app = new Hono();
  app.all("*", async (c) => {
    if (c.req.path === "/v1/completions") {
      model.asked += 1;
      await model.hold;
    }
    return server.app.fetch(c.req.raw);
  });
  const { url, close } = await listen(app);
  return { url, asked: 0, hold: Promise.resolve(), close };
}

async function settingsOf(network: LocalNetwork, index: number): Promise<Record<string, string>> {
  if (index === EDGE) return { OPENAI_BASE_URL: model.url };
  const recorder = await startRecorder(`sidecar-${index}`, undefined, { keepsHost: true });
  const started = await startSidecar(network, index, recorder.url);
  recorder.forwardTo(started.url);
  hosted.set(index, { process: started, recorder });
  return {
    ...reach.settings(network),
    ...NO_BACKENDS,
    BLF_PRIVATE_KEY: "",
    BLF_STORAGE_KEY: "",
    ...(await workerSettings(recorder.url, devAccount(nodeIndex(index)).address)),
  };
}

function startSidecar(network: LocalNetwork, index: number, origin: string, port = "0"): Promise<SidecarProcess> {
  rpc.forwardTo(network.urls.nodeRpc);
  return startSidecarProcess({
    ...network.env,
    BLF_RPC_URL: rpc.url,
    BLF_PRIVATE_KEY: devPrivateKey(nodeIndex(index)),
    BLF_STORAGE_KEY: `${STORAGE_KEY}0${index}`,
    BLF_SIDECAR_STATE: join(dir, `sidecar-${index}`),
    BLF_SIDECAR_ORIGINS: origin,
    BLF_SIDECAR_PORT: port,
    BLF_KEY_POOL_SIZE: "2",
    OPENAI_BASE_URL: model.url,
  });
}

async function restart(index: number): Promise<void> {
  const { process, recorder } = hostedBy(index);
  const port = new URL(process.url).port;
  hosted.set(index, { process: await startSidecar(rig.network, index, recorder.url, port), recorder });
}

function hostedBy(index: number): Hosted {
  const found = hosted.get(index);
  if (found === undefined) throw new Error(`node ${index} has no sidecar`);
  return found;
}

function nodeAt(index: number): EdgeNode {
  const node = rig.nodes[index];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  return node;
}

async function ask(): Promise<{ result: UserResult; leader: number }> {
  const prompt = `Head ${token()} and, past the words that an answer repeats, the tail ${token()}`;
  const result = await rig.ask(LOCAL_MODEL, prompt);
  jobs.push({ id: result.jobId, prompt, result });
  return { result, leader: addressesOf(rig.nodes).indexOf(result.leader) };
}

/** What `doctor` finds on a machine that has the settings of node 2's Worker and nothing else. */
async function doctor(change: Record<string, string>): Promise<{ check: string; status: string; detail: string }[]> {
  const { env, adminToken, process: local } = nodeAt(1);
  const given = { ...env, BLF_NODE_URL: local.url, BLF_ADMIN_TOKEN: adminToken, ...change };
  const settings = { PATH: process.env.PATH ?? "", HOME: dir, BLF_CONFIG_DIR: dir, ...given };
  return new Promise((resolve) => {
    execFile(process.execPath, [LAUNCHER, "doctor", "--json"], { env: settings, cwd: dir }, (_error, stdout) => {
      resolve(JSON.parse(stdout));
    });
  });
}

/** The breaker of a node's sidecar. */
async function sidecarState(index: number): Promise<string> {
  const { nodes } = (await nodeAt(index).api("/api/status")) as {
    nodes: { dependencies: { name: string; state: string }[] }[];
  };
  return nodes[0]?.dependencies.find(({ name }) => name === "sidecar")?.state ?? "closed";
}

const eventsOf = (from: number, event: string) =>
  rig.log.slice(from).filter(({ line }) => line.event === event || line.type === event);

describe("a node whose sidecar holds its key", () => {
  it("says so, and serves what the sidecar can run", async () => {
    const { nodes } = (await nodeAt(1).api("/api/status")) as { nodes: Record<string, unknown>[] };
    expect(nodes).toMatchObject([
      { address: nodeAt(1).address, executor: "sidecar", models: [LOCAL_MODEL], tier: 0, state: "running" },
    ]);
  });

  it("is examined by doctor through its sidecar, with the Worker's settings alone", { timeout: 60_000 }, async () => {
    const well = await doctor({});
    expect(well.filter(({ status }) => status === "failure")).toEqual([]);
    expect(well).toContainEqual(
      expect.objectContaining({ check: "wallet", detail: expect.stringContaining(nodeAt(1).address) }),
    );
    expect(well).toContainEqual({ check: "sidecar", status: "ok", detail: `it runs ${LOCAL_MODEL}`, fix: null });
    const strange = await doctor({ BLF_SIDECAR_PRIVATE_KEY: "99".repeat(32) });
    expect(strange).toContainEqual(
      expect.objectContaining({ check: "sidecar", status: "failure", fix: expect.stringContaining("BLF_SIDECAR_") }),
    );
    const other = await doctor({ BLF_NODE_ADDRESS: nodeAt(EDGE).address });
    expect(other).toContainEqual(
      expect.objectContaining({ check: "sidecar", detail: `it does not hold the key of ${nodeAt(EDGE).address}` }),
    );
  });

  it("agrees with a node in edge mode, whoever leads", { timeout: 240_000 }, async () => {
    const leaders = new Set<boolean>();
    for (let round = 0; round < 12 && leaders.size < 2; round += 1) {
      const { result, leader } = await ask();
      expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
      leaders.add(leader === EDGE);
    }
    expect(leaders.size).toBe(2);
  });
});

describe("a sidecar that is killed in the middle of a job", () => {
  it("takes the job up when it is started again, and the job is accepted", { timeout: 180_000 }, async () => {
    const from = rig.log.length;
    const asked = model.asked;
    let open: () => void = () => undefined;
    model.hold = new Promise((resolve) => {
      open = resolve;
    });
    const answer = ask();
    await eventually("all three at the model", () => (model.asked >= asked + 3 ? true : undefined), 60_000);
    await hostedBy(1).process.kill();
    open();
    await restart(1);
    expect((await answer).result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    expect(eventsOf(from, "job.failed")).toEqual([]);
    expect(rig.network.coordinator.stats().doubleCommitments).toEqual([]);
  });
});

describe("a sidecar that cannot be reached", () => {
  it("keeps its node from claiming until it is back, and costs it no job", { timeout: 240_000 }, async () => {
    const from = rig.log.length;
    await hostedBy(2).process.stop();
    await eventually(
      "the breaker to open",
      async () => ((await sidecarState(2)) === "open" ? true : undefined),
      120_000,
    );
    expect(eventsOf(from, "job.failed")).toEqual([]);
    await restart(2);
    await eventually(
      "the sidecar to be heard again",
      async () => ((await sidecarState(2)) === "open" ? undefined : true),
      120_000,
    );
    await untilLive(rig.network, addressesOf(rig.nodes));
    expect((await ask()).result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    expect(eventsOf(from, "job.failed")).toEqual([]);
    await eventually("the breaker to close", async () => ((await sidecarState(2)) === "closed" ? true : undefined));
  });
});

describe("what the Workers of these nodes had and said", () => {
  it("holds no prompt, no answer, no prompt or output key and no key of the node's", { timeout: 120_000 }, async () => {
    const places: Place[] = [
      ...Object.values(reach.recorders),
      ...[...hosted.values()].map((one) => one.recorder),
    ].flatMap((recorder) => recorder.places());
    for (const index of SIDECARS) {
      places.push(...(await folderPlaces(nodeAt(index).process.name, join(rig.stateDir, `node-${index + 1}`))));
    }
    const output = outputKeySecrets(rpc);
    expect(output.keys.length).toBeGreaterThan(0);
    const secrets: Secret[] = [
      ...jobs.flatMap(({ prompt, result }) => [
        { name: "prompt", value: prompt },
        ...prompt
          .split(/\s/)
          .filter((word) => word.length > 20)
          .map((value) => ({ name: "part of a prompt", value })),
        { name: "answer", value: result.answer ?? "" },
      ]),
      ...(await promptKeySecrets(
        rig,
        jobs.map(({ id }) => id),
      )),
      ...output.secrets,
      ...SIDECARS.flatMap((index) => keySecrets(`private key of node ${index + 1}`, nodeAt(index).privateKey)),
      ...SIDECARS.flatMap((index) => keySecrets(`storage key of sidecar ${index}`, `0x${STORAGE_KEY}0${index}`)),
    ];
    expect(places.length).toBeGreaterThan(1_000);
    expect(search(secrets, places).map(({ secret, place }) => `${secret} in ${place}`)).toEqual([]);
    // The search would have found them: in edge mode the node's own key is among the settings.
    const told = Object.values(nodeAt(EDGE).env).join("\n");
    const found = search(keySecrets("key", nodeAt(EDGE).privateKey), [{ name: "settings", bytes: Buffer.from(told) }]);
    expect(found.length).toBeGreaterThan(0);
  });
});
