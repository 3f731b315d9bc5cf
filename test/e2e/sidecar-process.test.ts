/** The built sidecar on the devnet: real prompts, real restarts, and a model server that counts what it is asked. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { bytesToHex, type Hex } from "viem";
import { afterAll, beforeAll, expect, it } from "vitest";
import { promptKeyStoreAbi } from "../../core/chain/abi.ts";
import { storeKeyCall } from "../../core/chain/calls.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { type Cofhe, createCofhe } from "../../core/cofhe/client.ts";
import { openBlob, sealBlob } from "../../core/crypto/blob.ts";
import { answerDigest } from "../../core/crypto/commitment.ts";
import { joinKey, splitKey } from "../../core/crypto/key-halves.ts";
import { outputKeyStoreJobId } from "../../core/crypto/output-key-id.ts";
import { EXECUTOR_VERSION, type ExecuteRequest } from "../../core/executor/executor.ts";
import { createPinner } from "../../core/ipfs/pin.ts";
import { systemClock, systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { createSidecarSigner } from "../../core/sidecar/remote-signer.ts";
import type { ExecutionId } from "../../core/sidecar/wire.ts";
import { DEV_ROLES, devAccount, devPrivateKey, nodeIndex } from "../../devnet/chain/accounts.ts";
import { sendCall } from "../../devnet/chain/send.ts";
import { listen } from "../../devnet/http.ts";
import { DEVNET_PINATA_JWT } from "../../devnet/ipfs/app.ts";
import { modelAnswer } from "../../devnet/models/answer.ts";
import { createCompletionsServer, LOCAL_MODEL } from "../../devnet/models/completions.ts";
import { type LocalNetwork, startNetwork } from "../../devnet/network.ts";
import { eventually } from "../eventually.ts";
import { allFiles } from "./rig.ts";
import { type SidecarProcess, startSidecarProcess } from "./sidecar-process.ts";

const PROMPT = "A prompt with a marker: 90d2f6e1aa";
const NODE = devAccount(nodeIndex(0)).address;
const user = devAccount(DEV_ROLES.user);

let dir: string;
let network: LocalNetwork;
let model: { url: string; asked: number; hold: Promise<void>; close(): Promise<void> };
let sidecar: SidecarProcess;
let answer: string;
let prompt: Pick<ExecuteRequest, "promptCid" | "keyHandles">;

const client = () => createChainClient({ rpcUrls: [network.urls.rpc], chainId: network.chainId });

function start(): Promise<SidecarProcess> {
  return startSidecarProcess({
    ...network.env,
    BLF_PRIVATE_KEY: devPrivateKey(nodeIndex(0)),
    BLF_STORAGE_KEY: "ab".repeat(32),
    BLF_SIDECAR_STATE: join(dir, "sidecar"),
    BLF_SIDECAR_SLOTS: "2",
    BLF_SIDECAR_QUEUE: "1",
    BLF_KEY_POOL_SIZE: "2",
    OPENAI_BASE_URL: model.url,
  });
}

function userCofhe(): Cofhe {
  const nowhere = "http://127.0.0.1:9";
  return createCofhe({
    chainId: network.chainId,
    rpcUrls: [network.urls.rpc],
    urls: { coFheUrl: nowhere, verifierUrl: nowhere, thresholdNetworkUrl: nowhere },
    signer: user,
    permits: { load: async () => null, save: async () => undefined },
    clock: systemClock,
  });
}

async function storedHandles(id: Hex): Promise<{ high: bigint; low: bigint }> {
  const [high, low] = await client().readContract({
    address: network.contracts.promptKeyStore,
    abi: promptKeyStoreAbi,
    functionName: "getEncryptedKey",
    args: [id],
  });
  return { high, low };
}

/** As a user stores it: sealed, pinned, its key on the chain for this node. */
async function storePrompt(): Promise<typeof prompt> {
  const key = systemRandom(32);
  const { high, low } = splitKey(key);
  const inputs = await userCofhe().encryptUint128Pair(high, low);
  const storeJobId = bytesToHex(systemRandom(32));
  const stored = { purpose: "a prompt key", storeJobId, ...inputs, allowed: [NODE] };
  await sendCall(client(), user, storeKeyCall(network.contracts.promptKeyStore, stored));
  const jwt = new Secret(DEVNET_PINATA_JWT);
  const pinner = createPinner({ apiUrl: network.urls.pinata, jwt, fetch, clock: systemClock });
  const { cid } = await pinner.pin(await sealBlob(PROMPT, key, systemRandom), "prompt");
  return { promptCid: cid, keyHandles: await storedHandles(storeJobId) };
}

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

function requestFor(jobId: string, role: "leader" | "verifier", outputKey?: string): ExecuteRequest {
  const given = outputKey === undefined ? {} : { outputKey };
  return { version: EXECUTOR_VERSION, node: NODE, jobId, role, modelId: LOCAL_MODEL, ...prompt, ...given };
}

function resultOf(id: ExecutionId) {
  return eventually(`job ${id.jobId}`, async () => {
    const state = await sidecar.client.pollExecution(id);
    if (state.state === "failed") throw new Error(state.error.message);
    return state.state === "done" ? state.result : undefined;
  });
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-sidecar-"));
  network = await startNetwork({ stateDir: dir });
  model = await startModel();
  answer = await modelAnswer(LOCAL_MODEL, PROMPT);
  prompt = await storePrompt();
  sidecar = await start();
});

afterAll(async () => {
  await sidecar?.kill();
  await model?.close();
  await network?.stop();
  await rm(dir, { recursive: true, force: true });
});

it("It says what it can do", async () => {
  expect(await sidecar.client.capabilities()).toMatchObject({
    nodes: [NODE],
    models: [{ id: LOCAL_MODEL, backend: "openai" }],
    capacity: { slots: 2, free: 2, queued: 0, queueMax: 1 },
    attestation: "mock",
    runtimeHash: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

it("A leader's answer is sealed for the user alone, with the sidecar's key, pool and signatures", async () => {
  await eventually("the pool", async () => {
    const { keyPool } = await sidecar.client.capabilities();
    return keyPool.ready === 2 ? keyPool : undefined;
  });
  const [first, again] = await Promise.all([1, 2].map(() => sidecar.client.outputKey({ node: NODE, jobId: "lead" })));
  if (first?.state !== "ready") throw new Error("a pooled key was not ready");
  expect(again).toEqual(first);
  const id = { node: NODE, jobId: "lead", role: "leader" } as const;
  await sidecar.client.startExecution(requestFor("lead", "leader", first.outputKey));
  const result = await resultOf(id);
  expect(result.answerDigest).toBe(await answerDigest(answer));

  const signer = createSidecarSigner(sidecar.client, NODE);
  const storeJobId = outputKeyStoreJobId("lead");
  const grant = { purpose: "an output key", storeJobId, ...first.encrypted, allowed: [user.address] };
  await sendCall(client(), signer, storeKeyCall(network.contracts.promptKeyStore, grant));
  const { high, low } = await storedHandles(storeJobId);
  const cofhe = userCofhe();
  const key = joinKey(await cofhe.decryptUint128(high), await cofhe.decryptUint128(low));
  expect(await openBlob(result.sealedAnswer ?? new Uint8Array(), key)).toBe(answer);
});

it("A repeated start gives the same answer and asks the model no more, also after a kill", async () => {
  const id = { node: NODE, jobId: "lead", role: "leader" } as const;
  const before = await resultOf(id);
  const asked = model.asked;
  await sidecar.kill();
  sidecar = await start();
  const { outputKey } = await sidecar.client.outputKey({ node: NODE, jobId: "lead" });
  const reply = await sidecar.client.startExecution(requestFor("lead", "leader", outputKey));
  expect(reply).toEqual({ state: "done", result: before });
  expect(await sidecar.client.pollExecution(id)).toEqual(reply);
  expect(model.asked).toBe(asked);
});

it("An execution that a kill cuts off is taken up by the next process, once", async () => {
  const id = { node: NODE, jobId: "cut", role: "verifier" } as const;
  const asked = model.asked;
  let open = () => {};
  model.hold = new Promise((resolve) => {
    open = resolve;
  });
  expect(await sidecar.client.startExecution(requestFor("cut", "verifier"))).toMatchObject({ state: "running" });
  await eventually("the model to be asked", () => (model.asked > asked ? true : undefined));
  await sidecar.kill();
  open();
  sidecar = await start();
  const result = await resultOf(id);
  expect(result).toMatchObject({ answerDigest: await answerDigest(answer) });
  expect(result).not.toHaveProperty("sealedAnswer");
  expect(model.asked).toBe(asked + 2);
  expect(await sidecar.client.startExecution(requestFor("cut", "verifier"))).toEqual({ state: "done", result });
  expect(model.asked).toBe(asked + 2);
});

it("The same job with other content is refused for good, and another node's too", async () => {
  const other = { ...requestFor("cut", "verifier"), modelId: "another/model" };
  await expect(sidecar.client.startExecution(other)).rejects.toMatchObject({ code: "sidecar-refused", retry: "never" });
  const stranger = { ...requestFor("cut", "verifier"), node: user.address };
  await expect(sidecar.client.startExecution(stranger)).rejects.toMatchObject({ code: "sidecar-refused" });
});

it("Over capacity it is busy and says for how long; what is cancelled makes room", async () => {
  let open = () => {};
  model.hold = new Promise((resolve) => {
    open = resolve;
  });
  const jobs = ["a", "b", "c"];
  for (const jobId of jobs) await sidecar.client.startExecution(requestFor(jobId, "verifier"));
  const fourth = sidecar.client.startExecution(requestFor("d", "verifier"));
  await expect(fourth).rejects.toMatchObject({ code: "sidecar-busy", retryAfterMs: expect.any(Number) });
  const { capacity } = await sidecar.client.capabilities();
  expect(capacity).toMatchObject({ free: 0, queued: 1 });
  expect(await sidecar.client.cancelExecution({ node: NODE, jobId: "a", role: "verifier" })).toBe(true);
  expect(await sidecar.client.startExecution(requestFor("d", "verifier"))).toMatchObject({ state: "running" });
  open();
  for (const jobId of ["b", "c", "d"]) await resultOf({ node: NODE, jobId, role: "verifier" });
  expect(await sidecar.client.pollExecution({ node: NODE, jobId: "a", role: "verifier" })).toEqual({
    state: "unknown",
  });
  expect(await sidecar.client.metrics()).toContain('blf_sidecar_executions_ended_total{outcome="cancelled"} 1\n');
});

it("SIGTERM waits for what runs, keeps its answer, and ends with status 0", async () => {
  const asked = model.asked;
  let open = () => {};
  model.hold = new Promise((resolve) => {
    open = resolve;
  });
  await sidecar.client.startExecution(requestFor("late", "verifier"));
  await eventually("the model to be asked", () => (model.asked > asked ? true : undefined));
  const stopped = sidecar.stop();
  await eventually("the stop", () => sidecar.log.find(({ event }) => event === "sidecar.stopping"));
  open();
  expect(await stopped).toBe(0);
  sidecar = await start();
  expect(await sidecar.client.pollExecution({ node: NODE, jobId: "late", role: "verifier" })).toMatchObject({
    state: "done",
  });
  expect(model.asked).toBe(asked + 1);
});

it("Its folder is its own, and neither prompt, answer nor key is in it or in the log", async () => {
  expect((await stat(join(dir, "sidecar"))).mode & 0o777).toBe(0o700);
  const files = await allFiles(join(dir, "sidecar"));
  expect(files.length).toBeGreaterThan(1);
  const key = devPrivateKey(nodeIndex(0)).slice(2);
  const texts = ["90d2f6e1aa", answer, key, Buffer.from(key, "hex").toString("latin1")];
  for (const { path, bytes } of files) {
    for (const text of texts) expect(bytes.includes(Buffer.from(text, "latin1")), path).toBe(false);
  }
  for (const text of texts) expect(JSON.stringify(sidecar.log)).not.toContain(text);
});

it("Another sidecar on the same folder does not start", async () => {
  await expect(start()).rejects.toThrow(/another sidecar uses the state folder/);
});
