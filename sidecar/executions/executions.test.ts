import { describe, expect, it } from "vitest";
import { NodeError } from "../../core/errors.ts";
import { EXECUTOR_VERSION, type ExecuteRequest, type ExecuteResult } from "../../core/executor/executor.ts";
import type { ExecutionId } from "../../core/sidecar/wire.ts";
import { openMemoryState, type State } from "../state.ts";
import { createTestClock, createTestLog, NODE, requestOf, settled } from "../test-parts.ts";
import { createExecutions, type ExecutionsParts } from "./executions.ts";
import { createExecutionStore } from "./store.ts";

const HOUR_MS = 3_600_000;
const RESULT: ExecuteResult = {
  version: EXECUTOR_VERSION,
  answerDigest: "ab".repeat(32),
  sealedAnswer: Uint8Array.of(1, 2, 3),
  timingsMs: { key: 5, prompt: 6, infer: 70 },
};
const idOf = (jobId: string): ExecutionId => ({ node: NODE, jobId, role: "verifier" });
const failure = (retry: "never" | "later") =>
  new NodeError("model-unavailable", "it is down", { retry, hint: "Wait." });

interface Run {
  request: ExecuteRequest;
  signal: AbortSignal;
  done(result?: ExecuteResult): Promise<void>;
  fail(error: unknown): Promise<void>;
}

/** Executions over a state that may outlive them; each run ends when the test says so, or when it is called off. */
function rigOn(state: State = openMemoryState(), changes: Partial<ExecutionsParts> = {}) {
  const clock = createTestClock();
  const { log, events } = createTestLog();
  const runs: Run[] = [];
  const ended: Parameters<ExecutionsParts["onEnd"]>[0][] = [];
  const store = createExecutionStore(state.db);
  const executions = createExecutions({
    store,
    run: (request, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        runs.push({
          request,
          signal,
          done: (result = RESULT) => {
            resolve(result);
            return settled();
          },
          fail: (error) => {
            reject(error);
            return settled();
          },
        });
      }),
    clock,
    log,
    slots: 2,
    queueMax: 1,
    retentionMs: HOUR_MS,
    onEnd: (end) => void ended.push(end),
    ...changes,
  });
  const run = (index: number): Run => {
    const found = runs[index];
    if (found === undefined) throw new Error(`there is no run ${index}`);
    return found;
  };
  return { executions, store, state, clock, events, runs, run, ended };
}

describe("A start", () => {
  it("runs an execution once, however often it is repeated, and its answer is the same ever after", async () => {
    const { executions, run, runs, ended, clock } = rigOn();
    const starts = await Promise.all([1, 2, 3].map(() => executions.start(requestOf("a"))));
    expect(starts).toEqual(Array(3).fill({ state: "running", queued: false }));
    await clock.pass(90);
    await run(0).done();
    const done = { state: "done", result: RESULT };
    expect(await executions.start(requestOf("a"), 2)).toEqual(done);
    expect(executions.poll(idOf("a"))).toEqual(done);
    expect(runs).toHaveLength(1);
    expect(ended).toEqual([{ outcome: "done", ms: 90, timingsMs: RESULT.timingsMs }]);
  });

  it.each<[string, Partial<ExecuteRequest>]>([
    ["another model", { modelId: "mock:b" }],
    ["another prompt", { promptCid: "bafy-other" }],
    ["another key", { keyHandles: { high: 7n, low: 9n } }],
    ["an output key", { outputKey: "v1.wrapped" }],
  ])("of the same job with %s is refused, before and after it ended", async (_, change) => {
    const { executions, run, runs } = rigOn();
    await executions.start(requestOf("a"));
    const refused = { code: "sidecar-refused", retry: "never" };
    await expect(executions.start(requestOf("a", change))).rejects.toMatchObject(refused);
    await run(0).done();
    await expect(executions.start(requestOf("a", change))).rejects.toMatchObject(refused);
    expect(runs).toHaveLength(1);
  });

  it("of another node, job or role is another execution", async () => {
    const { executions, runs } = rigOn(openMemoryState(), { slots: 4 });
    const other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    for (const change of [{}, { node: other }, { jobId: "b" }, { role: "leader" as const }]) {
      expect(await executions.start(requestOf("a", change))).toMatchObject({ queued: false });
    }
    expect(runs).toHaveLength(4);
  });

  it("that failed for good is answered from the store", async () => {
    const { executions, run, runs, ended } = rigOn();
    await executions.start(requestOf("a"));
    await run(0).fail(failure("never"));
    const failed = { state: "failed", error: { code: "model-unavailable", message: "it is down", retry: "never" } };
    expect(await executions.start(requestOf("a"))).toMatchObject(failed);
    expect(executions.poll(idOf("a"))).toMatchObject(failed);
    expect(runs).toHaveLength(1);
    expect(ended).toMatchObject([{ outcome: "failed" }]);
  });

  it("of a node whose key is not here any more fails for good, at once", async () => {
    const gone = () => {
      throw new NodeError("sidecar-refused", "no such node", { retry: "never", hint: "Look." });
    };
    const { executions } = rigOn(openMemoryState(), { run: gone });
    await executions.start(requestOf("a"));
    await settled();
    expect(executions.poll(idOf("a"))).toMatchObject({ state: "failed", error: { code: "sidecar-refused" } });
  });

  it("that failed for now can be started again", async () => {
    const { executions, run, runs } = rigOn();
    await executions.start(requestOf("a"));
    await run(0).fail(failure("later"));
    expect(executions.poll(idOf("a"))).toMatchObject({ state: "failed", error: { retry: "later" } });
    expect(await executions.start(requestOf("a"))).toEqual({ state: "running", queued: false });
    await run(1).done();
    expect(executions.poll(idOf("a"))).toMatchObject({ state: "done" });
    expect(runs).toHaveLength(2);
  });

  it("whose end cannot be written is not answered, and can be started again", async () => {
    const { executions, run, runs, store, events } = rigOn();
    const { end } = store;
    await executions.start(requestOf("a"));
    store.end = () => {
      throw new Error("the disk is full");
    };
    await run(0).done();
    expect(events()).toContain("execution.not-kept");
    expect(executions.poll(idOf("a"))).toEqual({ state: "unknown" });
    store.end = end;
    await executions.start(requestOf("a"));
    await run(1).done();
    expect(executions.poll(idOf("a"))).toMatchObject({ state: "done" });
    expect(runs).toHaveLength(2);
  });

  it("whose answer alone cannot be written did not fail: it is not kept", async () => {
    const { executions, run, store, ended } = rigOn();
    const { end } = store;
    store.end = (id, reply, nowMs) => {
      if (reply.state === "done") throw new Error("the disk is full");
      end(id, reply, nowMs);
    };
    await executions.start(requestOf("a"));
    await run(0).done();
    expect(executions.poll(idOf("a"))).toEqual({ state: "unknown" });
    expect(ended).toEqual([]);
  });
});

describe("Capacity", () => {
  it("is so many at a time, so many waiting, in the order in which they came", async () => {
    const { executions, run, runs } = rigOn();
    for (const job of ["a", "b"]) expect(await executions.start(requestOf(job))).toMatchObject({ queued: false });
    expect(await executions.start(requestOf("c"))).toEqual({ state: "running", queued: true });
    expect(executions.load()).toEqual({ running: 2, queued: 1 });
    expect(executions.poll(idOf("c"))).toEqual({ state: "running", queued: true });
    await run(1).done();
    expect(runs.map(({ request }) => request.jobId)).toEqual(["a", "b", "c"]);
    expect(executions.poll(idOf("c"))).toEqual({ state: "running", queued: false });
    expect(executions.load()).toEqual({ running: 2, queued: 0 });
  });

  it("that is used up makes it busy for as long as a slot is likely to take, and leaves no trace of what it refused", async () => {
    const { executions, run, store, clock } = rigOn();
    for (const job of ["a", "b", "c"]) await executions.start(requestOf(job));
    const busy = () => executions.start(requestOf("d")).catch((error: unknown) => error);
    // Before anything has finished: two before it, 10 s each, on two slots.
    expect(await busy()).toMatchObject({ code: "sidecar-busy", retry: "later", retryAfterMs: 10_000 });
    expect(store.get(idOf("d"))).toBeNull();
    expect(await executions.start(requestOf("a"))).toMatchObject({ state: "running" });
    await clock.pass(50_000);
    await run(0).done();
    await executions.start(requestOf("e"));
    expect(await busy()).toMatchObject({ retryAfterMs: 20_000 });
  });

  it("is freed by a failure too", async () => {
    const { executions, run } = rigOn(openMemoryState(), { slots: 1 });
    await executions.start(requestOf("a"));
    await executions.start(requestOf("b"));
    await run(0).fail(failure("never"));
    expect(run(1).request.jobId).toBe("b");
  });

  it("is answered with limits: not below a second, not above a minute", async () => {
    const { executions, run, clock } = rigOn(openMemoryState(), { slots: 1, queueMax: 0 });
    const retryAfterMs = () => executions.start(requestOf("x")).catch((error: NodeError) => error.retryAfterMs);
    await executions.start(requestOf("slow"));
    await clock.pass(1_000_000);
    await run(0).done();
    await executions.start(requestOf("next"));
    expect(await retryAfterMs()).toBe(60_000);
    for (let index = 1; index < 60; index++) {
      await run(index).done();
      await executions.start(requestOf(`quick-${index}`));
    }
    expect(await retryAfterMs()).toBe(1_000);
  });
});

describe("A cancellation", () => {
  it("calls a run off, forgets it and gives its slot on", async () => {
    const { executions, run, ended, clock, store } = rigOn(openMemoryState(), { slots: 1 });
    await executions.start(requestOf("a"));
    await executions.start(requestOf("b"));
    await clock.pass(30);
    expect(executions.cancel(idOf("a"))).toBe(true);
    expect(run(0).signal.aborted).toBe(true);
    expect(run(1).request.jobId).toBe("b");
    await settled();
    expect(executions.poll(idOf("a"))).toEqual({ state: "unknown" });
    expect(store.get(idOf("a"))).toBeNull();
    expect(ended).toEqual([{ outcome: "cancelled", ms: 30, timingsMs: {} }]);
    expect(executions.load()).toEqual({ running: 1, queued: 0 });
  });

  it("takes what waits out of the queue, and it never runs", async () => {
    const { executions, run, runs } = rigOn(openMemoryState(), { slots: 1 });
    await executions.start(requestOf("a"));
    await executions.start(requestOf("b"));
    expect(executions.cancel(idOf("b"))).toBe(true);
    await run(0).done();
    expect(runs).toHaveLength(1);
    expect(executions.poll(idOf("b"))).toEqual({ state: "unknown" });
  });

  it("of what is not running changes nothing: an answer stays", async () => {
    const { executions, run } = rigOn();
    await executions.start(requestOf("a"));
    await run(0).done();
    expect(executions.cancel(idOf("a"))).toBe(false);
    expect(executions.cancel(idOf("never"))).toBe(false);
    expect(executions.poll(idOf("a"))).toMatchObject({ state: "done" });
  });

  it("drops an answer that comes all the same, and the start after it has its own", async () => {
    const results: ((result: ExecuteResult) => void)[] = [];
    const deaf = { run: () => new Promise<ExecuteResult>((resolve) => results.push(resolve)) };
    const { executions } = rigOn(openMemoryState(), deaf);
    await executions.start(requestOf("a"));
    executions.cancel(idOf("a"));
    expect(await executions.start(requestOf("a", { modelId: "mock:b" }))).toMatchObject({ state: "running" });
    results[0]?.(RESULT);
    await settled();
    expect(executions.poll(idOf("a"))).toEqual({ state: "running", queued: false });
    results[1]?.({ ...RESULT, answerDigest: "cd".repeat(32) });
    await settled();
    expect(executions.poll(idOf("a"))).toMatchObject({ result: { answerDigest: "cd".repeat(32) } });
  });
});

describe("The process after this one", () => {
  it("takes up what ran and what waited, in order, from the requests as they came", async () => {
    const state = openMemoryState();
    const before = rigOn(state, { slots: 1, queueMax: 5 });
    const leader = requestOf("b", { role: "leader", outputKey: "v1.wrapped" });
    await before.executions.start(requestOf("done"));
    await before.run(0).done();
    await before.executions.start(requestOf("a"));
    await before.clock.pass(1);
    await before.executions.start(leader);
    const after = rigOn(state);
    after.executions.resume();
    expect(after.runs.map(({ request }) => request)).toEqual([requestOf("a"), leader]);
    expect(await after.executions.start(requestOf("a"))).toEqual({ state: "running", queued: false });
    expect(await after.executions.start(requestOf("done"))).toEqual({ state: "done", result: RESULT });
    await after.run(0).done();
    expect(after.executions.poll(idOf("a"))).toEqual({ state: "done", result: RESULT });
    await expect(after.executions.start({ ...leader, modelId: "mock:b" })).rejects.toThrow(/other content/);
  });

  it("takes up more than its queue holds", async () => {
    const state = openMemoryState();
    const before = rigOn(state, { slots: 8 });
    for (const job of ["a", "b", "c", "d", "e"]) await before.executions.start(requestOf(job));
    const after = rigOn(state, { slots: 1, queueMax: 0 });
    after.executions.resume();
    expect(after.executions.load()).toEqual({ running: 1, queued: 4 });
  });

  it("forgets what nobody waits for any more", async () => {
    const state = openMemoryState();
    const before = rigOn(state);
    await before.executions.start(requestOf("old"));
    const after = rigOn(state);
    await after.clock.pass(600_000);
    await after.executions.start(requestOf("new"));
    const last = rigOn(state);
    await last.clock.pass(600_000);
    last.executions.resume();
    expect(last.events()).toEqual(["execution.stale", "execution.resumed", "execution.started"]);
    expect(last.executions.poll(idOf("old"))).toEqual({ state: "unknown" });
    expect(last.runs.map(({ request }) => request.jobId)).toEqual(["new"]);
  });

  it("counts from the last start, where one failed and was started again", async () => {
    const state = openMemoryState();
    const before = rigOn(state);
    await before.executions.start(requestOf("a"));
    await before.run(0).fail(failure("later"));
    await before.clock.pass(590_000);
    await before.executions.start(requestOf("a"));
    const after = rigOn(state);
    await after.clock.pass(610_000);
    after.executions.resume();
    expect(after.runs).toHaveLength(1);
  });

  it("drops a row that another version wrote, and the job may be started again", async () => {
    const { executions, run, runs, state, store } = rigOn();
    await executions.start(requestOf("a"));
    await run(0).done();
    state.db.exec(`update executions set reply = '{"state":"finished"}'`);
    expect(executions.poll(idOf("a"))).toEqual({ state: "unknown" });
    expect(store.count()).toEqual({ running: 0, done: 0, failed: 0 });
    await executions.start(requestOf("a", { modelId: "mock:b" }));
    state.db.exec("update executions set request = 'no JSON'");
    expect(store.unfinished()).toEqual([]);
    expect(runs).toHaveLength(2);
  });
});

describe("A drain", () => {
  it("starts nothing more, and ends as soon as what runs has ended", async () => {
    const { executions, run, runs } = rigOn(openMemoryState(), { slots: 1 });
    await executions.start(requestOf("a"));
    await executions.start(requestOf("b"));
    let over = false;
    const drained = executions.drain(7_000).then(() => {
      over = true;
    });
    await expect(executions.start(requestOf("c"))).rejects.toMatchObject({ code: "sidecar-busy", retryAfterMs: 1_000 });
    expect(over).toBe(false);
    await run(0).done();
    await drained;
    expect(runs).toHaveLength(1);
    expect(executions.poll(idOf("a"))).toMatchObject({ state: "done" });
  });

  it("leaves what takes too long to the next process, unended", async () => {
    const { executions, run, state, clock, ended, events } = rigOn();
    await executions.start(requestOf("a"));
    const drained = executions.drain(7_000);
    await clock.pass(6_999);
    expect(run(0).signal.aborted).toBe(false);
    await clock.pass(1);
    await drained;
    expect(run(0).signal.aborted).toBe(true);
    await settled();
    expect(ended).toEqual([]);
    expect(events()).not.toContain("execution.failed");
    const after = rigOn(state);
    after.executions.resume();
    expect(after.runs.map(({ request }) => request.jobId)).toEqual(["a"]);
  });

  it("with nothing to wait for is over at once", async () => {
    await expect(rigOn().executions.drain(7_000)).resolves.toBeUndefined();
  });
});

describe("What is kept", () => {
  it("is kept for so long, and what runs for as long as it runs", async () => {
    const { executions, run, clock, store } = rigOn(openMemoryState(), { slots: 3 });
    for (const job of ["a", "b", "running"]) await executions.start(requestOf(job));
    await run(0).done();
    await clock.pass(1);
    await run(1).fail(failure("never"));
    await clock.pass(HOUR_MS);
    executions.prune();
    expect(executions.poll(idOf("a"))).toEqual({ state: "unknown" });
    expect(store.count()).toEqual({ running: 1, done: 0, failed: 1 });
    await clock.pass(1);
    executions.prune();
    expect(store.count()).toEqual({ running: 1, done: 0, failed: 0 });
  });

  it("is the newest where there are too many, and what runs besides", () => {
    const store = createExecutionStore(openMemoryState().db);
    for (let at = 0; at < 5; at++) {
      store.begin(requestOf(`job-${at}`), "digest", at);
      if (at > 0) store.end(idOf(`job-${at}`), { state: "done", result: RESULT }, at);
    }
    expect(store.prune(0, 2)).toBe(2);
    const left = [0, 1, 2, 3, 4].filter((at) => store.get(idOf(`job-${at}`)) !== null);
    expect(left).toEqual([0, 3, 4]);
  });

  it("stays as it is once it is done: nothing begins it anew, ends it again or forgets it", () => {
    const store = createExecutionStore(openMemoryState().db);
    const done = { state: "done", result: RESULT } as const;
    store.begin(requestOf("a"), "digest", 1);
    store.end(idOf("a"), done, 2);
    store.begin(requestOf("a", { modelId: "mock:b" }), "other", 3);
    store.end(idOf("a"), { state: "done", result: { ...RESULT, answerDigest: "cd".repeat(32) } }, 4);
    store.forget(idOf("a"));
    expect(store.get(idOf("a"))).toMatchObject({ digest: "digest", reply: done, createdMs: 1 });
  });
});
