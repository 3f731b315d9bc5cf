import { expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { SidecarClient } from "../sidecar/client.ts";
import { failureToWire } from "../sidecar/failure-wire.ts";
import type { ExecutionState, OutputKeyState, StartedExecution } from "../sidecar/wire.ts";
import { EXECUTOR_VERSION, type ExecuteRequest, type ExecuteResult } from "./executor.ts";
import { createSidecarExecutor } from "./sidecar-executor.ts";

const LEADER: ExecuteRequest = {
  version: EXECUTOR_VERSION,
  node: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
  jobId: "job-1",
  role: "leader",
  modelId: "mock:demo",
  promptCid: "bafy",
  keyHandles: { high: 1n, low: 2n },
  outputKey: "v1.a.b",
};
const VERIFIER: ExecuteRequest = { ...LEADER, role: "verifier" };
const DIGEST: ExecuteResult = { version: EXECUTOR_VERSION, answerDigest: "ab".repeat(32), timingsMs: { infer: 1 } };
const SEALED: ExecuteResult = { ...DIGEST, sealedAnswer: new Uint8Array([1, 2, 3]) };
const RUNNING = { state: "running", queued: false } as const;
const UNKNOWN = { state: "unknown" } as const;
const KEY = { high: encrypted("1"), low: encrypted("2") };

function encrypted(ctHash: string) {
  return { ctHash, securityZone: 0, utype: 6, signature: "0x00" };
}

/** A sidecar that answers in order, and repeats its last answer; its clock moves only by waiting. */
function sidecar(answers: (ExecutionState | OutputKeyState | Error)[], endsMs = Number.POSITIVE_INFINITY) {
  const asked: string[] = [];
  const waits: number[] = [];
  let nowMs = 0;
  const answer = (what: string) => {
    asked.push(what);
    const next = answers.length > 1 ? answers.shift() : answers[0];
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  const client = {
    startExecution: (_request: ExecuteRequest, attempt?: number) =>
      answer(`start ${attempt}`) as Promise<StartedExecution>,
    pollExecution: () => answer("poll") as Promise<ExecutionState>,
    cancelExecution: async () => asked.push("cancel") > 0,
    outputKey: ({ outputKey }: { outputKey?: string }) =>
      answer(outputKey === undefined ? "key" : "prove") as Promise<OutputKeyState>,
  } satisfies Partial<SidecarClient>;
  const clock = {
    now: () => nowMs,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted();
      waits.push(ms);
      nowMs += ms;
      if (nowMs > endsMs) throw new Error("too late");
    },
  };
  return { executor: createSidecarExecutor({ client, clock }), asked, waits };
}

it("starts once, asks until it is done, and asks a long inference ever more rarely", async () => {
  const { executor, asked, waits } = sidecar([...Array(30).fill(RUNNING), { state: "done", result: SEALED }]);
  expect(await executor.execute(LEADER)).toEqual(SEALED);
  expect(asked).toEqual(["start 1", ...Array(30).fill("poll")]);
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
});

it("asks fewer than 50 times within the 300 s of a job, as an invocation on the free plan may", async () => {
  const { executor, asked } = sidecar([RUNNING], 300_000);
  await expect(executor.execute(LEADER)).rejects.toThrow("too late");
  expect(asked.length).toBeLessThan(45);
});

it("finds what is done already without waiting", async () => {
  const { executor, asked, waits } = sidecar([{ state: "done", result: DIGEST }]);
  expect(await executor.execute(VERIFIER)).toEqual(DIGEST);
  expect([asked, waits]).toEqual([["start 1"], []]);
});

it("starts again what a sidecar forgot", async () => {
  const { executor, asked } = sidecar([RUNNING, UNKNOWN, RUNNING, { state: "done", result: DIGEST }]);
  await executor.execute(VERIFIER);
  expect(asked).toEqual(["start 1", "poll", "start 2", "poll"]);
});

it("fails as the sidecar's executor failed", async () => {
  const failure = { code: "model", message: "empty", hint: "h", retry: "later", admitted: "no" } as const;
  const { executor } = sidecar([RUNNING, { state: "failed", error: failureToWire(failure) }]);
  await expect(executor.execute(LEADER)).rejects.toMatchObject({ code: "model", message: "empty", retry: "later" });
});

it("passes on that the sidecar cannot be reached, and leaves what runs there running", async () => {
  const away = new NodeError("sidecar-unreachable", "no answer", { retry: "later", hint: "h" });
  const { executor, asked } = sidecar([RUNNING, away]);
  await expect(executor.execute(LEADER)).rejects.toBe(away);
  expect(asked).toEqual(["start 1", "poll"]);
});

it("says that a job is over to the sidecar that works on it", async () => {
  const over = new AbortController();
  over.abort(new Error("the job is over"));
  const { executor, asked } = sidecar([RUNNING]);
  await expect(executor.execute(LEADER, over.signal)).rejects.toThrow("the job is over");
  expect(asked).toEqual(["start 1", "cancel"]);
});

it.each([
  ["a leader's without an answer", LEADER, DIGEST],
  ["a verifier's with one", VERIFIER, SEALED],
])("takes no result that is %s", async (_name, request, result) => {
  const { executor } = sidecar([{ state: "done", result }]);
  await expect(executor.execute(request)).rejects.toMatchObject({ code: "sidecar-malformed", retry: "never" });
});

it("makes an output key, and waits for its proof within a minute", async () => {
  const proving = { state: "proving", outputKey: "v1.k.e" } as const;
  const ready = { state: "ready", outputKey: "v1.k.e", encrypted: KEY } as const;
  const { executor, asked } = sidecar([proving, proving, ready]);
  expect(await executor.newOutputKey(LEADER.node, "job-1")).toBe("v1.k.e");
  expect(await executor.encryptOutputKey(LEADER.node, "job-1", "v1.k.e")).toEqual(KEY);
  expect(asked).toEqual(["key", "prove", "prove"]);
  const { executor: slow } = sidecar([proving]);
  await expect(slow.encryptOutputKey(LEADER.node, "job-1", "v1.k.e")).rejects.toMatchObject({ retry: "later" });
});
