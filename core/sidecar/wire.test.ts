import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXECUTOR_VERSION, type ExecuteRequest, type ExecuteResult } from "../executor/executor.ts";
import { signRequestShape } from "./sign-wire.ts";
import { attestBody, executeBody, pollReply, startReply } from "./wire.ts";

const NODE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const uint256 = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n });
const text = fc
  .string({ minLength: 1, maxLength: 64, unit: "grapheme" })
  .filter((id) => executeBody.shape.jobId.safeParse(id).success);

const request: fc.Arbitrary<ExecuteRequest> = fc.record(
  {
    version: fc.constant(EXECUTOR_VERSION),
    node: fc.constant(NODE),
    jobId: text,
    role: fc.constantFrom("leader" as const, "verifier" as const),
    modelId: text,
    promptCid: text,
    keyHandles: fc.record({ high: uint256, low: uint256 }),
    outputKey: fc.string({
      minLength: 1,
      maxLength: 512,
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    }),
  },
  { requiredKeys: ["version", "node", "jobId", "role", "modelId", "promptCid", "keyHandles"] },
);

const result: fc.Arbitrary<ExecuteResult> = fc.record(
  {
    version: fc.constant(EXECUTOR_VERSION),
    answerDigest: fc.string({ minLength: 64, maxLength: 64, unit: fc.constantFrom(..."0123456789abcdef".split("")) }),
    sealedAnswer: fc.uint8Array({ maxLength: 4_096 }).map((bytes) => Uint8Array.from(bytes)),
    timingsMs: fc.dictionary(fc.constantFrom("key", "prompt", "infer"), fc.nat({ max: 1e6 }), {
      noNullPrototype: true,
    }),
  },
  { requiredKeys: ["version", "answerDigest", "timingsMs"] },
);

describe("what the executor takes and gives", () => {
  it("is, after the way through JSON, what it was", () => {
    fc.assert(
      fc.property(request, (value) => {
        expect(executeBody.parse(throughJson(executeBody.encode(value)))).toEqual(value);
      }),
    );
    fc.assert(
      fc.property(result, (value) => {
        const done = { state: "done", result: value } as const;
        expect(pollReply.parse(throughJson(pollReply.encode(done)))).toEqual(done);
        expect(startReply.parse(throughJson(startReply.encode(done)))).toEqual(done);
      }),
    );
  });

  const plain = {
    version: EXECUTOR_VERSION,
    node: NODE,
    jobId: "1",
    role: "leader",
    modelId: "m",
    promptCid: "c",
    keyHandles: { high: "1", low: "0" },
  };
  it.each<[string, Record<string, unknown>]>([
    ["another version", { version: EXECUTOR_VERSION + 1 }],
    ["an address in lower case", { node: NODE.toLowerCase() }],
    ["no address", { node: "0x12" }],
    ["another role", { role: "observer" }],
    ["a job without a name", { jobId: "" }],
    ["a job that URLs resolve", { jobId: ".." }],
    ["a job with a line break", { jobId: "a\nb" }],
    ["a job with half a character", { jobId: "\ud800" }],
    ["a job of too long a name", { jobId: "x".repeat(513) }],
    ["a handle as a number", { keyHandles: { high: 1, low: "0" } }],
    ["a handle that is negative", { keyHandles: { high: "-1", low: "0" } }],
    ["a handle in hex", { keyHandles: { high: "0x1", low: "0" } }],
    ["a handle with a leading zero", { keyHandles: { high: "01", low: "0" } }],
    ["a handle that is too large", { keyHandles: { high: (1n << 256n).toString(), low: "0" } }],
    ["a key with a blank", { outputKey: "a b" }],
    ["a key that is null", { outputKey: null }],
  ])("is refused with %s", (_, change) => {
    expect(executeBody.safeParse(plain).success).toBe(true);
    expect(executeBody.safeParse({ ...plain, ...change }).success).toBe(false);
  });
});

describe("bytes", () => {
  const nonce = (value: unknown) =>
    attestBody.safeParse({ node: NODE, challengeId: "c", nonce: value, modelIds: [] }).success;

  it.each(["AA==", "AAA=", "AAAA", "+/+/"])("%s is taken", (value) => expect(nonce(value)).toBe(true));
  it.each(["", "A", "AA", "AA=", "AA==\n", "A===", "-_-_", " AAAA", 7, null])("%j is refused", (value) =>
    expect(nonce(value)).toBe(false),
  );
});

describe("what the node's key may be asked for", () => {
  const transaction = {
    type: "eip1559",
    chainId: 421_614,
    nonce: 0,
    to: NODE,
    data: "0x",
    value: "0",
    gas: "21000",
    maxFeePerGas: "1",
    maxPriorityFeePerGas: "0",
  };
  const isTaken = (value: unknown) => signRequestShape.safeParse(value).success;

  it("is a transaction of the one kind, with no other field", () => {
    const ask = (change: object) =>
      isTaken({ kind: "transaction", node: NODE, transaction: { ...transaction, ...change } });
    expect(ask({})).toBe(true);
    for (const change of [
      { type: "eip7702" },
      { accessList: [] },
      { blobs: [] },
      { to: null },
      { data: "0x1" },
      { value: 1 },
    ]) {
      expect(ask(change)).toBe(false);
    }
  });

  it("is never a bare hash", () => {
    expect(isTaken({ kind: "hash", node: NODE, hash: `0x${"00".repeat(32)}` })).toBe(false);
    expect(isTaken({ node: NODE, hash: `0x${"00".repeat(32)}` })).toBe(false);
  });

  it("is at most five minutes of polls at once", () => {
    const ask = (count: number) =>
      isTaken({ kind: "icl", node: NODE, body: "", timestampsSec: Array.from({ length: count }, (_, i) => i) });
    expect([0, 1, 64, 65].map(ask)).toEqual([false, true, true, false]);
  });
});
