import { describe, expect, it } from "vitest";
import { createMockAttester } from "../core/attestation/attester.ts";
import { NodeError } from "../core/errors.ts";
import { systemRandom } from "../core/ports.ts";
import { readSidecarSettings } from "../core/settings/sidecar.ts";
import { capabilitiesReply } from "../core/sidecar/wire.ts";
import { createVault } from "../core/vault.ts";
import { createAccounts } from "./accounts.ts";
import type { Executions } from "./executions/executions.ts";
import { createMetrics } from "./metrics.ts";
import type { OutputKeys } from "./output-keys/output-keys.ts";
import { createService, type ServiceParts } from "./service.ts";
import { openMemoryState } from "./state.ts";
import { createTestClock, createTestLog, NODE, NODE_KEY, NOW_MS, OTHER_NODE, requestOf } from "./test-parts.ts";

const { settings } = readSidecarSettings({
  BLF_PRIVATE_KEY: NODE_KEY.reveal(),
  BLF_STORAGE_KEY: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
  BLF_RPC_URL: "https://rpc.example/v2/3fXk9QmT7wLpZr2VbNc8Y",
  BLF_MODELS: "mock:a",
  BLF_SIDECAR_SLOTS: "3",
  BLF_SIDECAR_WORKER_KEYS: `w=${"ab".repeat(32)}`,
  BLF_SIDECAR_SIGNING_KEY: "cd".repeat(32),
});

/** A service whose parts write down what reached them. */
function serviceOf(changes: Partial<ServiceParts> = {}, load = { running: 0, queued: 0 }) {
  if (settings === null) throw new Error("the settings are at fault");
  const calls: string[] = [];
  const clock = createTestClock();
  const { log, events } = createTestLog();
  const unreached = () => {
    throw new Error("nothing is run here");
  };
  const accounts = createAccounts(settings, {
    db: openMemoryState().db,
    vault: createVault({ keys: settings.node.storageKeys, random: systemRandom }),
    ipfs: { download: unreached, probe: unreached },
    models: { resolve: unreached, models: () => [] },
    random: systemRandom,
    fetch: unreached,
    prover: null,
    clock,
    log,
  });
  const executions: Executions = {
    start: async ({ jobId }, attempt) => {
      calls.push(`start ${jobId} ${attempt}`);
      return { state: "running", queued: false };
    },
    poll: ({ jobId }) => {
      calls.push(`poll ${jobId}`);
      return { state: "unknown" };
    },
    cancel: ({ jobId }) => {
      calls.push(`cancel ${jobId}`);
      return true;
    },
    load: () => load,
    resume: unreached,
    prune: unreached,
    drain: unreached,
  };
  const outputKeys: OutputKeys = {
    ask: async ({ jobId }) => {
      calls.push(`key ${jobId}`);
      return { state: "proving", outputKey: "v1.wrapped" };
    },
    fill: unreached,
    pool: () => ({ size: 4, ready: 3 }),
    stop: unreached,
  };
  const service = createService({
    settings,
    accounts,
    executions,
    store: { count: () => ({ running: 0, done: 5, failed: 0 }) },
    outputKeys,
    models: {
      registry: { resolve: unreached, models: () => [] },
      served: async () => [{ id: "mock:a", backend: "mock" }],
    },
    attester: createMockAttester(),
    gpus: { report: async () => ({ gpus: [{ name: "T4", memoryMib: 15_360, driver: "550.90" }], reason: null }) },
    metrics: createMetrics(NOW_MS),
    runtimeHash: "5a".repeat(32),
    clock,
    log,
    ...changes,
  });
  return { service, calls, events };
}

const timestampsSec = [NOW_MS / 1000];
const attest = { challengeId: "c", nonce: Uint8Array.of(1, 2), modelIds: ["mock:a"] };

describe("Whatever is about a node whose key is not here", () => {
  it("is refused before anything else happens", async () => {
    const { service, calls } = serviceOf();
    const id = { node: OTHER_NODE, jobId: "a", role: "verifier" } as const;
    const asks = [
      () => service.startExecution(requestOf("a", { node: OTHER_NODE }), 1),
      () => service.pollExecution(id),
      () => service.cancelExecution(id),
      () => service.outputKey({ node: OTHER_NODE, jobId: "a" }),
      () => service.attest({ ...attest, node: OTHER_NODE }),
      () => service.sign({ kind: "icl", node: OTHER_NODE, body: "", timestampsSec }),
    ];
    for (const ask of asks) {
      const refused = await ask().catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(NodeError);
      expect(refused).toMatchObject({ code: "sidecar-refused", retry: "never", hint: expect.stringContaining("BLF_") });
    }
    expect(calls).toEqual([]);
  });

  it("is only about the spelling that the coordinator knows", async () => {
    const { service } = serviceOf();
    const lower = service.outputKey({ node: NODE.toLowerCase(), jobId: "a" });
    await expect(lower).rejects.toMatchObject({ code: "sidecar-refused" });
  });
});

describe("What is about a node of the sidecar's", () => {
  it("reaches its part", async () => {
    const { service, calls } = serviceOf();
    const id = { node: NODE, jobId: "a", role: "verifier" } as const;
    expect(await service.startExecution(requestOf("a"), 2)).toEqual({ state: "running", queued: false });
    expect(await service.pollExecution(id)).toEqual({ state: "unknown" });
    expect(await service.cancelExecution(id)).toBe(true);
    expect(await service.outputKey({ node: NODE, jobId: "a" })).toMatchObject({ state: "proving" });
    expect(calls).toEqual(["start a 2", "poll a", "cancel a", "key a"]);
  });

  it("is quoted by its attester", async () => {
    const { service, events } = serviceOf();
    const quoted = await service.attest({ ...attest, node: NODE });
    expect(quoted).toMatchObject({ backendType: "mock", quote: expect.stringMatching(/^[0-9a-f]+$/) });
    expect(events()).toContain("attestation.quoted");
  });

  it("is signed or not, and counted either way", async () => {
    const { service, events } = serviceOf();
    await service.sign({ kind: "icl", node: NODE, body: "{}", timestampsSec });
    const refused = service.sign({ kind: "icl", node: NODE, body: "text", timestampsSec });
    await expect(refused).rejects.toMatchObject({ code: "signing-refused" });
    expect(events()).toEqual(["signature.refused"]);
    const metrics = await service.metrics();
    expect(metrics).toContain('blf_sidecar_signatures_total{kind="icl",outcome="given"} 1\n');
    expect(metrics).toContain('blf_sidecar_signatures_total{kind="icl",outcome="refused"} 1\n');
    expect(metrics).toContain('blf_sidecar_executions_stored{state="done"} 5\n');
    expect(metrics).toContain("blf_sidecar_output_keys_pool_ready 3\n");
  });
});

describe("The capabilities", () => {
  it("say what the sidecar has, and what of it is free, in words that the Worker reads", async () => {
    const capabilities = await serviceOf({}, { running: 2, queued: 0 }).service.capabilities();
    expect(capabilities).toMatchObject({
      nodes: [NODE],
      models: [{ id: "mock:a", backend: "mock" }],
      gpus: [{ name: "T4", memoryMiB: 15_360, driver: "550.90" }],
      capacity: { slots: 3, free: 1, queued: 0, queueMax: 16 },
      attestation: "mock",
      encryptsOutputKeys: false,
      keyPool: { size: 4, ready: 3 },
      runtimeHash: "5a".repeat(32),
    });
    expect(capabilitiesReply.parse(JSON.parse(JSON.stringify(capabilities)))).toEqual(capabilities);
  });

  it("never offer less than nothing, nor cards that nobody found", async () => {
    const gpus = { report: async () => ({ gpus: [], reason: "none" }) as const };
    const { capacity, gpus: cards } = await serviceOf({ gpus }, { running: 3, queued: 2 }).service.capabilities();
    expect(capacity).toMatchObject({ free: 0, queued: 2 });
    expect(cards).toBeNull();
  });

  it("may lack the code's hash, and nothing else stands in for it", async () => {
    const unknown = await serviceOf({ runtimeHash: "" }).service.capabilities();
    expect(capabilitiesReply.parse(unknown)).toMatchObject({ runtimeHash: "" });
    for (const runtimeHash of ["ab", "5A".repeat(32), "5a".repeat(33)]) {
      expect(capabilitiesReply.safeParse({ ...unknown, runtimeHash }).success, runtimeHash).toBe(false);
    }
  });
});
