import { describe, expect, it } from "vitest";
import { NodeError } from "../../core/errors.ts";
import type { EncryptedOutputKey } from "../../core/executor/executor.ts";
import { systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { createVault } from "../../core/vault.ts";
import { openMemoryState, type State } from "../state.ts";
import { createTestClock, createTestLog, NODE, OTHER_NODE, settled } from "../test-parts.ts";
import { createOutputKeys, type OutputKeysParts } from "./output-keys.ts";
import { createOutputKeyStore } from "./store.ts";

const HALF = { securityZone: 0, utype: 6, signature: "0x01" };
const KEY = "aa".repeat(32);
const down = () => new NodeError("cofhe-unavailable", "the prover is down", { retry: "later", hint: "Wait." });

interface Options extends Partial<OutputKeysParts> {
  storageKeys?: string[];
  /** Each proof waits for the test to end it. */
  held?: boolean;
}

/** Output keys over a state that may outlive them. A proof names the key that it is of, as no real one does. */
function rigOn(state: State = openMemoryState(), { storageKeys = [KEY], held = false, ...changes }: Options = {}) {
  const clock = createTestClock();
  const { log, events } = createTestLog();
  const vault = createVault({ keys: storageKeys.map((key) => new Secret(key)), random: systemRandom });
  const open = (jobId: string, wrapped: string, node = NODE) => vault.open("output-key", `${node}/${jobId}`, wrapped);
  const proofs: { jobId: string; end(error?: Error): Promise<void> }[] = [];
  const executor = (node: string): ReturnType<OutputKeysParts["executorOf"]> => ({
    newOutputKey: (_node, jobId) => vault.seal("output-key", `${node}/${jobId}`, systemRandom(32)),
    async encryptOutputKey(_node, jobId, wrapped) {
      const key = await open(jobId, wrapped, node);
      await new Promise<void>((resolve, reject) => {
        const end = (error?: Error) => {
          if (error === undefined) resolve();
          else reject(error);
          return settled();
        };
        proofs.push({ jobId, end });
        if (!held) resolve();
      });
      return encryptionOf(key);
    },
  });
  const store = createOutputKeyStore(state.db);
  const keys = createOutputKeys({
    store,
    vault,
    executorOf: executor,
    pooledNodes: [],
    poolSize: 0,
    random: systemRandom,
    clock,
    log,
    ...changes,
  });
  const proof = (index: number) => {
    const found = proofs[index];
    if (found === undefined) throw new Error(`there is no proof ${index}`);
    return found;
  };
  return { keys, store, vault, open, proofs, proof, clock, events, state };
}

function encryptionOf(key: Uint8Array): EncryptedOutputKey {
  const half = (bytes: Uint8Array) => ({
    ...HALF,
    ctHash: BigInt(`0x${Buffer.from(bytes).toString("hex")}`).toString(),
  });
  return { high: half(key.subarray(0, 16)), low: half(key.subarray(16)) };
}

describe("A job's output key", () => {
  it("is the same one however often it is asked for, at once and later, with its encryption", async () => {
    const { keys, open, proofs } = rigOn();
    const asks = await Promise.all([1, 2, 3].map(() => keys.ask({ node: NODE, jobId: "a" })));
    const [first] = asks;
    if (first?.state !== "ready") throw new Error("it is not ready");
    expect(asks).toEqual([first, first, first]);
    expect(await keys.ask({ node: NODE, jobId: "a" })).toEqual(first);
    expect(await keys.ask({ node: NODE, jobId: "a", outputKey: first.outputKey })).toEqual(first);
    expect(first.encrypted).toEqual(encryptionOf(await open("a", first.outputKey)));
    expect(proofs).toHaveLength(1);
  });

  it("is another one for another job and for another node", async () => {
    const { keys, open } = rigOn();
    const of = async (node: string, jobId: string) => {
      const { outputKey } = await keys.ask({ node, jobId });
      return Buffer.from(await open(jobId, outputKey, node)).toString("hex");
    };
    const opened = [await of(NODE, "a"), await of(NODE, "b"), await of(OTHER_NODE, "a")];
    expect(new Set(opened).size).toBe(3);
  });

  it("is the same one in the next process", async () => {
    const { keys, state } = rigOn();
    const first = await keys.ask({ node: NODE, jobId: "a" });
    const next = rigOn(state);
    expect(await next.keys.ask({ node: NODE, jobId: "a" })).toEqual(first);
    expect(next.proofs).toEqual([]);
  });

  it("that the Worker still has is taken back, and encrypted as that one", async () => {
    const { keys, vault, open } = rigOn();
    const outputKey = await vault.seal("output-key", `${NODE}/a`, systemRandom(32));
    await keys.ask({ node: NODE, jobId: "a" });
    const back = await keys.ask({ node: NODE, jobId: "a", outputKey });
    expect(back).toEqual({ state: "ready", outputKey, encrypted: encryptionOf(await open("a", outputKey)) });
    expect(await keys.ask({ node: NODE, jobId: "a" })).toEqual(back);
  });

  it.each([
    ["another job's", "output-key", `${NODE}/b`],
    ["another node's", "output-key", `${OTHER_NODE}/a`],
    ["of the pool", "output-key-pool", `${NODE}/a`],
  ])("that was wrapped as %s is refused, and the job keeps its own", async (_, purpose, identity) => {
    const { keys, vault } = rigOn();
    const own = await keys.ask({ node: NODE, jobId: "a" });
    const outputKey = await vault.seal(purpose, identity, systemRandom(32));
    await expect(keys.ask({ node: NODE, jobId: "a", outputKey })).rejects.toMatchObject({ code: "storage-key" });
    expect(await keys.ask({ node: NODE, jobId: "a" })).toEqual(own);
  });

  it("that was refused does not stand in the way of the next who asks", async () => {
    const { keys } = rigOn();
    const asks = [keys.ask({ node: NODE, jobId: "a", outputKey: "v1.nonsense" }), keys.ask({ node: NODE, jobId: "a" })];
    expect((await Promise.allSettled(asks)).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });

  it("is forgotten after its time", async () => {
    const { keys, store, clock } = rigOn();
    await keys.ask({ node: NODE, jobId: "a" });
    store.prune(clock.now());
    expect(store.get(NODE, "a")).not.toBeNull();
    store.prune(clock.now() + 1);
    expect(store.get(NODE, "a")).toBeNull();
  });
});

describe("A proof", () => {
  it("that takes long is asked for again, and nobody begins it twice", async () => {
    const { keys, proof, proofs, clock } = rigOn(openMemoryState(), { held: true });
    const first = keys.ask({ node: NODE, jobId: "a" });
    await settled();
    await clock.pass(3_000);
    const { outputKey } = await first;
    expect(await first).toEqual({ state: "proving", outputKey });
    const second = keys.ask({ node: NODE, jobId: "a", outputKey });
    await settled();
    await proof(0).end();
    expect(await second).toMatchObject({ state: "ready", outputKey });
    expect(proofs).toHaveLength(1);
  });

  it("that ends while nobody waits is ready for whoever asks next", async () => {
    const { keys, proof, clock } = rigOn(openMemoryState(), { held: true });
    const first = keys.ask({ node: NODE, jobId: "a" });
    await settled();
    await clock.pass(3_000);
    await first;
    await proof(0).end();
    expect(await keys.ask({ node: NODE, jobId: "a" })).toMatchObject({ state: "ready" });
  });

  it("that fails says why, and the next one is begun anew, with the same key", async () => {
    const { keys, proof } = rigOn(openMemoryState(), { held: true });
    const first = keys.ask({ node: NODE, jobId: "a" }).catch((error: unknown) => error);
    await settled();
    await proof(0).end(down());
    expect(await first).toMatchObject({ code: "cofhe-unavailable", retry: "later", message: "the prover is down" });
    const second = keys.ask({ node: NODE, jobId: "a" });
    await settled();
    await proof(1).end();
    expect(await second).toMatchObject({ state: "ready" });
  });

  it("that fails while nobody waits says so once, to whoever asks next", async () => {
    const { keys, proof, proofs, clock } = rigOn(openMemoryState(), { held: true });
    const first = keys.ask({ node: NODE, jobId: "a" });
    await settled();
    await clock.pass(3_000);
    await first;
    await proof(0).end(down());
    await expect(keys.ask({ node: NODE, jobId: "a" })).rejects.toMatchObject({ code: "cofhe-unavailable" });
    expect(proofs).toHaveLength(1);
    const third = keys.ask({ node: NODE, jobId: "a" });
    await settled();
    await proof(1).end();
    expect(await third).toMatchObject({ state: "ready" });
  });

  it("is one at a time, a job's before the pool's", async () => {
    const pool = { held: true, pooledNodes: [NODE], poolSize: 2 };
    const { keys, proof, proofs, clock } = rigOn(openMemoryState(), pool);
    keys.fill();
    await settled();
    const asks = ["a", "b"].map((jobId) => keys.ask({ node: NODE, jobId }));
    await settled();
    await clock.pass(3_000);
    expect(await Promise.all(asks)).toMatchObject([{ state: "proving" }, { state: "proving" }]);
    expect(proofs).toHaveLength(1);
    for (let index = 0; index < 4; index++) await proof(index).end();
    expect(proofs.map(({ jobId }) => (jobId.startsWith(NODE) ? "pool" : jobId))).toEqual(["pool", "a", "b", "pool"]);
    keys.stop();
  });

  it("of a key that was replaced meanwhile is not kept as the new one's", async () => {
    const { keys, proof, store, vault, open, clock } = rigOn(openMemoryState(), { held: true });
    const first = keys.ask({ node: NODE, jobId: "a" });
    await settled();
    await clock.pass(3_000);
    await first;
    const outputKey = await vault.seal("output-key", `${NODE}/a`, systemRandom(32));
    const second = keys.ask({ node: NODE, jobId: "a", outputKey });
    await settled();
    await proof(0).end();
    expect(store.get(NODE, "a")).toMatchObject({ wrapped: outputKey, encrypted: null });
    await proof(1).end();
    expect(await second).toMatchObject({ encrypted: encryptionOf(await open("a", outputKey)) });
  });
});

describe("The pool", () => {
  const pool = { pooledNodes: [NODE], poolSize: 2 };

  it("is filled ahead of time, and again when a key was taken, which is ready at once", async () => {
    const { keys, open, proofs } = rigOn(openMemoryState(), pool);
    expect(keys.pool()).toEqual({ size: 2, ready: 0 });
    keys.fill();
    await settled();
    expect(keys.pool()).toEqual({ size: 2, ready: 2 });
    const taken = await keys.ask({ node: NODE, jobId: "a" });
    if (taken.state !== "ready") throw new Error("it is not ready");
    expect(taken.encrypted).toEqual(encryptionOf(await open("a", taken.outputKey)));
    await settled();
    expect(keys.pool().ready).toBe(2);
    expect(proofs.every(({ jobId }) => jobId.startsWith(`${NODE}/`))).toBe(true);
    keys.stop();
  });

  it("hands each key out once, also to jobs that ask at once", async () => {
    const { keys, open } = rigOn(openMemoryState(), { ...pool, poolSize: 3 });
    keys.fill();
    await settled();
    const jobs = ["a", "b", "c", "d"];
    const given = await Promise.all(jobs.map((jobId) => keys.ask({ node: NODE, jobId })));
    const opened = await Promise.all(given.map(({ outputKey }, index) => open(jobs[index] ?? "", outputKey)));
    expect(new Set(opened.map((key) => Buffer.from(key).toString("hex"))).size).toBe(4);
    await settled();
    keys.stop();
  });

  it("is of one node: another's job takes none of it", async () => {
    const { keys, open } = rigOn(openMemoryState(), pool);
    keys.fill();
    await settled();
    const other = await keys.ask({ node: OTHER_NODE, jobId: "a" });
    expect(await open("a", other.outputKey, OTHER_NODE)).toHaveLength(32);
    expect(keys.pool().ready).toBe(2);
    keys.stop();
  });

  it("has handed a key out for good when the process ends before it was wrapped for its job", async () => {
    const { keys, store, state, clock } = rigOn(openMemoryState(), pool);
    keys.fill();
    await settled();
    keys.stop();
    const taken = store.take(NODE, "cut", clock.now());
    expect(taken?.poolId).toMatch(new RegExp(`^${NODE}/[0-9a-f]{32}$`));

    const next = rigOn(state);
    const of = async (jobId: string) => {
      const reply = await next.keys.ask({ node: NODE, jobId });
      if (reply.state !== "ready") throw new Error("it is not ready");
      expect(reply.encrypted).toEqual(encryptionOf(await next.open(jobId, reply.outputKey)));
      return reply;
    };
    const other = await of("b");
    const cut = await of("cut");
    expect(cut.encrypted).toEqual(taken?.encrypted);
    expect(cut.outputKey).not.toBe(taken?.wrapped);
    expect(other.encrypted).not.toEqual(cut.encrypted);
    expect(next.proofs).toEqual([]);
    expect(store.get(NODE, "cut")).toMatchObject({ poolId: null, wrapped: cut.outputKey });
  });

  it("of another storage key is worth nothing, and costs no job", async () => {
    const state = openMemoryState();
    const before = rigOn(state, pool);
    before.keys.fill();
    await settled();
    before.keys.stop();
    const { keys, open, events } = rigOn(state, { storageKeys: ["bb".repeat(32)] });
    const reply = await keys.ask({ node: NODE, jobId: "a" });
    if (reply.state !== "ready") throw new Error("it is not ready");
    expect(reply.encrypted).toEqual(encryptionOf(await open("a", reply.outputKey)));
    expect(events()).toContain("output-key.pool-unreadable");
    expect(await keys.ask({ node: NODE, jobId: "a" })).toEqual(reply);
  });

  it("that cannot be filled is tried again later, and says so", async () => {
    const { keys, proof, proofs, clock, events } = rigOn(openMemoryState(), { ...pool, poolSize: 1, held: true });
    keys.fill();
    keys.fill();
    await settled();
    await proof(0).end(down());
    expect(events()).toEqual(["output-key.pool-failed"]);
    await clock.pass(29_999);
    expect(proofs).toHaveLength(1);
    await clock.pass(1);
    await proof(1).end();
    expect(keys.pool().ready).toBe(1);
  });

  it("takes nothing in once it was stopped", async () => {
    const { keys, proof, proofs } = rigOn(openMemoryState(), { ...pool, held: true });
    keys.fill();
    await settled();
    keys.stop();
    await proof(0).end();
    keys.fill();
    await settled();
    expect(keys.pool().ready).toBe(0);
    expect(proofs).toHaveLength(1);
  });

  it("can be emptied, and what was handed out stays", async () => {
    const { keys, store } = rigOn(openMemoryState(), pool);
    keys.fill();
    await settled();
    const given = await keys.ask({ node: NODE, jobId: "a" });
    keys.stop();
    store.emptyPool();
    expect(keys.pool().ready).toBe(0);
    expect(await keys.ask({ node: NODE, jobId: "a" })).toEqual(given);
  });
});

it("No key stands anywhere in the open", async () => {
  const { keys, open, state } = rigOn(openMemoryState(), { pooledNodes: [NODE], poolSize: 1 });
  keys.fill();
  await settled();
  const { outputKey } = await keys.ask({ node: NODE, jobId: "a" });
  keys.stop();
  const key = await open("a", outputKey);
  const all = (table: string) => state.db.prepare(`select node, wrapped, pool_id from ${table}`).all();
  const text = JSON.stringify([...all("output_keys"), ...all("key_pool")]);
  expect(text).toContain(outputKey);
  for (const form of ["hex", "base64", "base64url", "latin1"] as const) {
    expect(text).not.toContain(Buffer.from(key).toString(form));
  }
});
