/**
 * The sidecar's messages, read and written by both sides with the same schemas: `decode` takes JSON from outside and gives
 * values (bigint, bytes), `encode` is the way back. What is unknown is dropped. Nothing here ever holds plaintext, an
 * output key or a node's key.
 */
import * as z from "zod";
import { EXECUTOR_VERSION } from "../executor/executor.ts";
import { role } from "../icl/schema.ts";
import { wireFailure } from "./failure-wire.ts";
import { bytes, count, encryptedInput, hex, jobId, modelId, nodeAddress, text, uint256, wrappedKey } from "./fields.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";

const MODELS_MAX = 1_000;
/** Of a quote with its event log, in bytes. */
const QUOTE_MAX = 1 << 20;
const version = z.literal(EXECUTOR_VERSION);
const backendType = z.enum(["mock", "tpm", "sev", "tdx"]);

export const healthReply = z.object({ status: z.literal("ok") });

export const capabilitiesReply = z.object({
  protocol: z
    .number()
    .int()
    .meta({ description: `This version speaks ${PROTOCOL_VERSION}.` }),
  version: text.meta({ description: "Of the sidecar's software." }),
  executorVersion: z.number().int(),
  nodes: z.array(nodeAddress).max(MODELS_MAX).meta({ description: "The nodes whose keys the sidecar holds." }),
  models: z.array(z.object({ id: modelId, backend: text })).max(MODELS_MAX),
  gpus: z
    .array(z.object({ name: text, memoryMiB: count, driver: text }))
    .max(64)
    .nullable()
    .meta({ description: "Null where the sidecar could not find out." }),
  capacity: z.object({ slots: count, free: count, queued: count, queueMax: count }),
  tier: z.number().int().min(0).max(2),
  attestation: backendType,
  encryptsOutputKeys: z.boolean().meta({ description: "Without it the node leads no jobs on this chain." }),
  keyPool: z.object({ size: count, ready: count }).meta({ description: "Output keys that are proven ahead of time." }),
  runtimeHash: z
    .string()
    .regex(/^(?:[0-9a-f]{64})?$/, "must be 64 lower-case hex digits, or empty")
    .meta({
      description: "Of the code that runs; empty where it is not known, which only the mock's attestation allows.",
    }),
});
export type Capabilities = z.output<typeof capabilitiesReply>;

/** An execution's name: a repeated start with the same one is the same execution. */
export const executionId = z.object({ node: nodeAddress, jobId, role });
export type ExecutionId = z.output<typeof executionId>;

export const executeBody = z.object({
  version,
  node: nodeAddress,
  jobId,
  role,
  modelId,
  promptCid: text,
  keyHandles: z.object({ high: uint256, low: uint256 }),
  outputKey: z.exactOptional(wrappedKey),
});

const executeResult = z.object({
  version,
  answerDigest: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits"),
  sealedAnswer: z.exactOptional(bytes),
  timingsMs: z.record(z.string().max(32), z.number().min(0)),
});

const states = {
  running: z.object({
    state: z.literal("running"),
    queued: z.boolean().meta({ description: "True while it waits for a slot." }),
  }),
  done: z.object({ state: z.literal("done"), result: executeResult }),
  failed: z.object({ state: z.literal("failed"), error: wireFailure }),
  unknown: z.object({ state: z.literal("unknown") }),
};
export const startReply = z.discriminatedUnion("state", [states.running, states.done, states.failed]);
export type StartedExecution = z.output<typeof startReply>;
/** `unknown`: never started here, or forgotten; start it (again). */
export const pollReply = z.discriminatedUnion("state", [states.running, states.done, states.failed, states.unknown]);
export type ExecutionState = z.output<typeof pollReply>;

export const cancelReply = z.object({
  cancelled: z.boolean().meta({ description: "False where nothing was running." }),
});

/** Without `outputKey`: the job's own key, the same one however often it is asked for. With it: that key, encrypted. */
export const outputKeyBody = z.object({ node: nodeAddress, jobId, outputKey: z.exactOptional(wrappedKey) });
export type OutputKeyRequest = z.output<typeof outputKeyBody>;

/** A proof takes seconds where the pool is empty: ask again, with the key. */
export const outputKeyReply = z.discriminatedUnion("state", [
  z.object({ state: z.literal("proving"), outputKey: wrappedKey }),
  z.object({
    state: z.literal("ready"),
    outputKey: wrappedKey,
    encrypted: z.object({ high: encryptedInput, low: encryptedInput }),
  }),
]);
export type OutputKeyState = z.output<typeof outputKeyReply>;

export const attestBody = z.object({
  node: nodeAddress,
  challengeId: text,
  nonce: bytes.refine((nonce) => nonce.length > 0 && nonce.length <= 64, "must be 1 to 64 bytes"),
  modelIds: z.array(modelId).max(MODELS_MAX).meta({ description: "To serve; a hardware quote binds them." }),
});
export type AttestRequest = z.output<typeof attestBody>;

export const attestReply = z.object({
  backendType,
  quote: hex(QUOTE_MAX),
  runtimeHash: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits"),
});
export type AttestReply = z.output<typeof attestReply>;
