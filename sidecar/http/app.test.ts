import { describe, expect, it } from "vitest";
import { NodeError } from "../../core/errors.ts";
import { EXECUTOR_VERSION, type ExecuteRequest } from "../../core/executor/executor.ts";
import { ENDPOINTS } from "../../core/sidecar/endpoints.ts";
import { publicKeyOf, signingKey } from "../../core/sidecar/keys.ts";
import { createSidecarApp } from "./app.ts";
import { BUSY_MS, NODE, OTHER_NODE } from "./fake-service.ts";
import {
  createRig,
  KEY_ID,
  NOW_MS,
  nextSidecarSeed,
  nextWorkerSeed,
  ORIGIN,
  sidecarSeed,
  workerSeed,
} from "./test-rig.ts";

const job: ExecuteRequest = {
  version: EXECUTOR_VERSION,
  node: NODE,
  jobId: "0xjob",
  role: "leader",
  modelId: "facebook/opt-125m",
  promptCid: "bafkreigh2akiscaildc",
  keyHandles: { high: (1n << 256n) - 1n, low: 0n },
  outputKey: "wrapped.1",
};
const id = { node: NODE, jobId: "0xjob", role: "leader" } as const;

const failureOf = async (work: Promise<unknown>): Promise<NodeError> => {
  const error = await work.then(
    () => new Error("it succeeded"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof NodeError) return error;
  throw error;
};

describe("a Worker and its sidecar", () => {
  it("tell each other what the sidecar can do", async () => {
    const { client, service } = await createRig();
    const sidecar = await client();
    expect(await sidecar.capabilities()).toEqual(await service.capabilities());
    expect(await sidecar.metrics()).toBe(await service.metrics());
    expect(sidecar.clockSkewMs()).toBe(0);
  });

  it("start an execution, poll it and take its result, with handles and bytes as they were", async () => {
    const { client, service } = await createRig();
    const sidecar = await client();
    expect(await sidecar.pollExecution(id)).toEqual({ state: "unknown" });
    expect(await sidecar.startExecution(job, 3)).toEqual({ state: "running", queued: false });
    expect(service.started).toEqual([{ request: job, attempt: 3 }]);
    expect(await sidecar.pollExecution(id)).toEqual({ state: "running", queued: false });

    const result = {
      answerDigest: "0f".repeat(32),
      sealedAnswer: Uint8Array.of(0, 255, 10),
      timingsMs: { infer: 12.5 },
    };
    service.finish(id, result);
    const done = { state: "done", result: { version: EXECUTOR_VERSION, ...result } };
    expect(await sidecar.pollExecution(id)).toEqual(done);
    // The model does not run again.
    expect(await sidecar.startExecution(job, 4)).toEqual(done);
    expect(service.started).toHaveLength(1);
  });

  it("start a verifier's execution, which has no output key and gives no sealed answer", async () => {
    const { client, service } = await createRig();
    const sidecar = await client();
    const { outputKey: _, ...rest } = job;
    const request: ExecuteRequest = { ...rest, role: "verifier" };
    await sidecar.startExecution(request);
    expect(service.started).toEqual([{ request, attempt: undefined }]);
    service.finish({ ...id, role: "verifier" }, { answerDigest: "0f".repeat(32), timingsMs: {} });
    const polled = await sidecar.pollExecution({ ...id, role: "verifier" });
    expect(polled.state === "done" && "sealedAnswer" in polled.result).toBe(false);
  });

  it("tell a failed execution's reason, and stop one that runs", async () => {
    const { client, service } = await createRig();
    const sidecar = await client();
    await sidecar.startExecution(job);
    expect(await sidecar.cancelExecution(id)).toBe(true);
    expect(await sidecar.cancelExecution(id)).toBe(false);
    const error = new NodeError("model-unavailable", "the model server is away", { retry: "later", hint: "Start it." });
    service.fail(id, error);
    expect(await sidecar.pollExecution(id)).toEqual({
      state: "failed",
      error: { code: "model-unavailable", message: error.message, hint: "Start it.", retry: "later", admitted: "no" },
    });
  });

  it.each([
    "plain",
    "a/b",
    "a%2Fb",
    "%",
    "é 漢",
    "..x",
    "?&=#",
    "a+b",
    "-",
    "@none",
    "x".repeat(512),
    "漢".repeat(512),
  ])("name the job %s in path and header so that it comes back as it was", async (jobId) => {
    const { client, service } = await createRig();
    const sidecar = await client();
    await sidecar.startExecution({ ...job, jobId });
    expect(service.started[0]?.request.jobId).toBe(jobId);
    expect(await sidecar.pollExecution({ ...id, jobId })).toEqual({ state: "running", queued: false });
  });

  it("say that the queue is full, and for how long", async () => {
    const { client } = await createRig();
    const sidecar = await client();
    await sidecar.startExecution({ ...job, jobId: "1" });
    expect(await sidecar.startExecution({ ...job, jobId: "2" })).toEqual({ state: "running", queued: true });
    const failure = await failureOf(sidecar.startExecution({ ...job, jobId: "3" }));
    expect(failure).toMatchObject({ code: "sidecar-busy", retry: "later", retryAfterMs: BUSY_MS, admitted: "no" });
  });

  it("make one output key a job and encrypt it once it is proven", async () => {
    const { client } = await createRig();
    const sidecar = await client();
    expect(await sidecar.outputKey({ node: NODE, jobId: "1" })).toEqual({ state: "proving", outputKey: "wrapped.1" });
    expect(await sidecar.outputKey({ node: NODE, jobId: "1", outputKey: "wrapped.1" })).toMatchObject({
      state: "ready",
      outputKey: "wrapped.1",
      encrypted: { high: { ctHash: "7" }, low: { ctHash: "8" } },
    });
  });

  it("quote a challenge", async () => {
    const { client } = await createRig();
    const sidecar = await client();
    const quote = await sidecar.attest({ node: NODE, challengeId: "c", nonce: Uint8Array.of(1, 254), modelIds: ["m"] });
    expect(quote).toEqual({ backendType: "mock", quote: "01fe01", runtimeHash: "ab".repeat(32) });
  });

  it("sign several timestamps at once, and transactions", async () => {
    const { client } = await createRig();
    const sidecar = await client();
    const signed = await sidecar.sign({ kind: "icl", node: NODE, body: "{}", timestampsSec: [10, 15] });
    expect(signed).toEqual({
      kind: "icl",
      signatures: [
        { timestampSec: 10, headers: { "X-Timestamp": "10", "X-Signature": "0x2" } },
        { timestampSec: 15, headers: { "X-Timestamp": "15", "X-Signature": "0x2" } },
      ],
    });
    const transaction = {
      type: "eip1559",
      chainId: 421_614,
      nonce: 5,
      to: NODE,
      data: "0x",
      value: 250n,
      gas: 21_000n,
      maxFeePerGas: 10n ** 9n,
      maxPriorityFeePerGas: 0n,
    } as const;
    expect(await sidecar.sign({ kind: "transaction", node: NODE, transaction })).toEqual({
      kind: "transaction",
      serialized: "0x0200ff",
    });
  });

  it("refuse a signature with the service's own code", async () => {
    const { client } = await createRig();
    const typedData = { domain: {}, types: {}, primaryType: "Permit", message: {} };
    const failure = await failureOf((await client()).sign({ kind: "typed-data", node: NODE, typedData }));
    expect(failure).toMatchObject({ code: "signing-refused", retry: "never", hint: "Only the sidecar decrypts." });
  });

  it("say nothing of what a bug was", async () => {
    const rig = await createRig();
    rig.service.metrics = () => Promise.reject(new TypeError("the prompt was: secret"));
    const failure = await failureOf((await rig.client()).metrics());
    expect(failure).toMatchObject({
      code: "internal",
      message: "an unexpected TypeError occurred",
      admitted: "unknown",
    });
    expect(JSON.stringify(rig.logged)).not.toContain("secret");
  });

  it("go on while the clocks are apart, once the sidecar has said what its own is", async () => {
    const { client, clock } = await createRig();
    const sidecar = await client({ clock: { ...clock, now: () => NOW_MS + 600_000 } });
    const failure = await failureOf(sidecar.metrics());
    expect(failure).toMatchObject({ code: "sidecar-refused", retry: "later", hint: expect.stringMatching(/clock/) });
    expect(sidecar.clockSkewMs()).toBe(-600_000);
    expect(await sidecar.metrics()).toMatch(/^# TYPE/);
  });
});

describe("keys are exchanged without an outage", () => {
  it("the Worker's: both are known, then only the new one", async () => {
    const old = { id: KEY_ID, seed: workerSeed };
    const next = { id: "worker-2", seed: nextWorkerSeed };
    const both = await createRig({ workerSeeds: { [KEY_ID]: workerSeed, "worker-2": nextWorkerSeed } });
    expect(await (await both.client({ key: old })).metrics()).toMatch(/^#/);
    expect(await (await both.client({ key: next })).metrics()).toMatch(/^#/);

    const after = await createRig({ workerSeeds: { "worker-2": nextWorkerSeed } });
    expect(await (await after.client({ key: next })).metrics()).toMatch(/^#/);
    expect(await failureOf((await after.client({ key: old })).metrics())).toMatchObject({ code: "sidecar-refused" });
    expect(after.logged).toContainEqual({ event: "request.refused", fields: { reason: "key", key: KEY_ID } });
  });

  it("the sidecar's: the Worker pins both, then only the new one", async () => {
    const [oldKey, newKey] = await Promise.all([publicKeyOf(sidecarSeed), publicKeyOf(nextSidecarSeed)]);
    const before = await createRig();
    const after = await createRig({ signingKey: signingKey(newKey, nextSidecarSeed) });
    for (const rig of [before, after]) {
      expect(await (await rig.client({ sidecarKeys: [oldKey, newKey] })).metrics()).toMatch(/^#/);
    }
    expect(await failureOf((await before.client({ sidecarKeys: [newKey] })).metrics())).toMatchObject({
      code: "sidecar-malformed",
      hint: expect.stringMatching(/BLF_SIDECAR_PUBLIC_KEY/),
    });
  });
});

describe("a stranger", () => {
  it.each([
    ["GET", "/"],
    ["GET", "/v1"],
    ["GET", "/v1/capabilities"],
    ["GET", "/v1/no-such-thing"],
    ["POST", "/v1/executions"],
    ["PUT", "/v1/executions"],
    ["OPTIONS", "/v1/capabilities"],
    ["DELETE", "/v1/executions/a/b/leader"],
    ["GET", "/v1/metrics"],
    ["POST", "/v1/healthz"],
  ])("gets the same answer to %s %s, and no service is asked", async (method, path) => {
    const { app, service } = await createRig();
    const reply = await app.fetch(new Request(`${ORIGIN}${path}`, { method }));
    const reference = await app.fetch(new Request(`${ORIGIN}/v1/nothing`));
    expect([reply.status, await reply.text()]).toEqual([401, await reference.text()]);
    expect(Object.fromEntries(reply.headers)).toEqual(Object.fromEntries(reference.headers));
    expect(reply.headers.has("signature")).toBe(false);
    expect(service.calls).toEqual([]);
  });

  it("may ask whether the sidecar is up, and is told nothing else", async () => {
    const { app } = await createRig();
    const reply = await app.fetch(new Request(`${ORIGIN}/v1/healthz`));
    expect([reply.status, await reply.text()]).toEqual([200, '{"status":"ok"}']);
  });

  it("has no body of its own read", async () => {
    const { app } = await createRig();
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(new Uint8Array(1024));
        },
      },
      { highWaterMark: 0 },
    );
    const init = { method: "POST", body, duplex: "half" } as const;
    expect((await app.fetch(new Request(`${ORIGIN}/v1/sign`, init))).status).toBe(401);
    expect(pulled).toBe(0);
  });

  it("is not looked at any further after many failures, and does not shut the Worker out", async () => {
    const { app, client, logged, clock } = await createRig();
    const headers = { signature: "blf=:AAAA:", "signature-input": `blf=();keyid="${KEY_ID}"` };
    const statuses: number[] = [];
    for (let count = 0; count < 62; count++) {
      statuses.push((await app.fetch(new Request(`${ORIGIN}/v1/sign`, { headers }))).status);
    }
    expect(statuses).toEqual([...Array(60).fill(401), 429, 429]);
    expect(logged).toHaveLength(60);
    expect(await (await client()).metrics()).toMatch(/^#/);
    clock.nowMs += 60_000;
    expect((await app.fetch(new Request(`${ORIGIN}/v1/sign`, { headers }))).status).toBe(401);
  });
});

describe("every answer", () => {
  it("is closed to browsers, caches and proxies that would change it", async () => {
    const { app } = await createRig();
    for (const path of ["/v1/healthz", "/v1/capabilities"]) {
      const { headers } = await app.fetch(
        new Request(`${ORIGIN}${path}`, { headers: { origin: "https://evil.example" } }),
      );
      expect(headers.get("cache-control")).toBe("no-store, no-transform");
      expect(headers.get("content-security-policy")).toMatch(/default-src 'none'/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
  });
});

describe("the app", () => {
  it("is not made without a Worker's key, or without an address", async () => {
    const { nonces, service, clock } = await createRig();
    const parts = { service, nonces, clock, log: () => undefined, signingKey: signingKey("s", sidecarSeed) };
    expect(() => createSidecarApp({ ...parts, workerKeys: [], origins: [ORIGIN] })).toThrow(/needs a Worker's key/);
    const workerKeys = [{ id: "a", algorithm: "ed25519", verify: async () => true }] as const;
    expect(() => createSidecarApp({ ...parts, workerKeys, origins: [] })).toThrow(/and an origin/);
  });

  it("has a route for every endpoint, and takes no body where none belongs", () => {
    for (const { method, maxBody } of Object.values(ENDPOINTS)) expect(maxBody > 0).toBe(method === "POST");
  });

  it("keeps the nodes apart", async () => {
    const { client } = await createRig();
    const sidecar = await client();
    await sidecar.startExecution(job);
    expect(await sidecar.pollExecution({ ...id, node: OTHER_NODE })).toEqual({ state: "unknown" });
  });
});
