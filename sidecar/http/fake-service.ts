/** A sidecar's inside for tests: executions that run until they are told to end, one slot and a queue of one. */
import { NodeError, toFailure } from "../../core/errors.ts";
import { EXECUTOR_VERSION, type ExecuteRequest, type ExecuteResult } from "../../core/executor/executor.ts";
import { failureToWire } from "../../core/sidecar/failure-wire.ts";
import type { SignRequest } from "../../core/sidecar/sign-wire.ts";
import type { Capabilities, ExecutionId, ExecutionState, StartedExecution } from "../../core/sidecar/wire.ts";
import type { SidecarService } from "./service.ts";

export const NODE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
export const OTHER_NODE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

const SLOTS = 1;
const QUEUE_MAX = 1;
export const BUSY_MS = 7_000;

export interface FakeService extends SidecarService {
  /** What reached the service, in order. */
  readonly calls: string[];
  readonly started: { request: ExecuteRequest; attempt: number | undefined }[];
  finish(id: ExecutionId, result: Omit<ExecuteResult, "version">): void;
  fail(id: ExecutionId, error: NodeError): void;
}

export function createFakeService(): FakeService {
  const calls: string[] = [];
  const started: FakeService["started"] = [];
  const executions = new Map<string, StartedExecution>();
  const keys = new Map<string, { key: string; asked: number }>();
  const nameOf = ({ node, jobId, role }: ExecutionId) => JSON.stringify([node, jobId, role]);
  const running = () => [...executions.values()].filter(({ state }) => state === "running").length;

  return {
    calls,
    started,
    finish: (id, result) =>
      void executions.set(nameOf(id), { state: "done", result: { version: EXECUTOR_VERSION, ...result } }),
    fail: (id, error) => void executions.set(nameOf(id), { state: "failed", error: failureToWire(toFailure(error)) }),
    async capabilities() {
      calls.push("capabilities");
      return capabilities(running());
    },
    async startExecution(request, attempt) {
      calls.push("startExecution");
      const known = executions.get(nameOf(request));
      if (known !== undefined) return known;
      if (running() >= SLOTS + QUEUE_MAX) throw busy();
      started.push({ request, attempt });
      const state = { state: "running", queued: running() >= SLOTS } as const;
      executions.set(nameOf(request), state);
      return state;
    },
    async pollExecution(id): Promise<ExecutionState> {
      calls.push("pollExecution");
      return executions.get(nameOf(id)) ?? { state: "unknown" };
    },
    async cancelExecution(id) {
      calls.push("cancelExecution");
      return executions.get(nameOf(id))?.state === "running" && executions.delete(nameOf(id));
    },
    async outputKey({ node, jobId }) {
      calls.push("outputKey");
      const name = JSON.stringify([node, jobId]);
      const known = keys.get(name) ?? { key: `wrapped.${keys.size + 1}`, asked: 0 };
      keys.set(name, { ...known, asked: known.asked + 1 });
      if (known.asked === 0) return { state: "proving", outputKey: known.key };
      const input = { ctHash: "7", securityZone: 0, utype: 6, signature: "0x01" };
      return { state: "ready", outputKey: known.key, encrypted: { high: input, low: { ...input, ctHash: "8" } } };
    },
    async attest({ nonce, modelIds }) {
      calls.push("attest");
      return {
        backendType: "mock",
        quote: `${Buffer.from(nonce).toString("hex")}0${modelIds.length}`,
        runtimeHash: "ab".repeat(32),
      };
    },
    async sign(request) {
      calls.push("sign");
      return signed(request);
    },
    async metrics() {
      calls.push("metrics");
      return "# TYPE blf_executions counter\nblf_executions 1\n";
    },
  };
}

function signed(request: SignRequest) {
  switch (request.kind) {
    case "icl":
      return {
        kind: "icl" as const,
        signatures: request.timestampsSec.map((timestampSec) => ({
          timestampSec,
          headers: { "X-Timestamp": String(timestampSec), "X-Signature": `0x${request.body.length}` },
        })),
      };
    case "typed-data":
      throw new NodeError("signing-refused", "not signed: the permit's sealing key is not the sidecar's", {
        retry: "never",
        hint: "Only the sidecar decrypts.",
      });
    case "transaction": {
      const { nonce, value } = request.transaction;
      return {
        kind: "transaction" as const,
        serialized: `0x02${(BigInt(nonce) + value).toString(16).padStart(4, "0")}` as const,
      };
    }
  }
}

function capabilities(running: number): Capabilities {
  return {
    protocol: 1,
    version: "0.1.0",
    executorVersion: EXECUTOR_VERSION,
    nodes: [NODE, OTHER_NODE],
    models: [{ id: "facebook/opt-125m", backend: "openai" }],
    gpus: [{ name: "NVIDIA H100 80GB HBM3", memoryMiB: 81_559, driver: "570.86" }],
    capacity: {
      slots: SLOTS,
      free: Math.max(0, SLOTS - running),
      queued: Math.max(0, running - SLOTS),
      queueMax: QUEUE_MAX,
    },
    tier: 0,
    attestation: "mock",
    encryptsOutputKeys: true,
    keyPool: { size: 4, ready: 3 },
    runtimeHash: "ab".repeat(32),
  };
}

function busy(): NodeError {
  return new NodeError("sidecar-busy", "every slot is taken and the queue is full", {
    retry: "later",
    hint: "The node stops claiming until there is room.",
    retryAfterMs: BUSY_MS,
  });
}
