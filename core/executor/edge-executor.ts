/**
 * The one implementation of the executor. Key halves are decrypted while the prompt's blob is fetched; the prompt is
 * opened, answered, digested and, for a leader, sealed under the job's output key. Refuses a version it does not speak
 * and a model it cannot run. Invariant: prompt, answer and keys never leave this file's variables.
 */
import type { Cofhe } from "../cofhe/client.ts";
import { openBlob, sealBlob } from "../crypto/blob.ts";
import { answerDigest } from "../crypto/commitment.ts";
import { joinKey, splitKey } from "../crypto/key-halves.ts";
import { NodeError } from "../errors.ts";
import type { ModelRegistry } from "../inference/registry.ts";
import type { IpfsDownloader } from "../ipfs/download.ts";
import type { Clock, RandomBytes } from "../ports.ts";
import type { Vault } from "../vault.ts";
import {
  type EncryptedOutputKey,
  EXECUTOR_VERSION,
  type ExecuteRequest,
  type ExecuteResult,
  type Executor,
} from "./executor.ts";

/** The vault's purpose for output keys; the identity is `node/jobId`. */
export const OUTPUT_KEY_PURPOSE = "output-key";
const KEY_BYTES = 32;

export interface ExecutorParts {
  cofhe: Cofhe;
  ipfs: IpfsDownloader;
  models: ModelRegistry;
  vault: Vault;
  random: RandomBytes;
  clock: Clock;
}

export function createExecutor(parts: ExecutorParts): Executor {
  return {
    execute: (request, signal) => execute(parts, request, signal),
    async newOutputKey(node, jobId) {
      return parts.vault.seal(OUTPUT_KEY_PURPOSE, outputKeyIdentity(node, jobId), parts.random(KEY_BYTES));
    },
    async encryptOutputKey(node, jobId, outputKey): Promise<EncryptedOutputKey> {
      const halves = splitKey(await parts.vault.open(OUTPUT_KEY_PURPOSE, outputKeyIdentity(node, jobId), outputKey));
      return parts.cofhe.encryptUint128Pair(halves.high, halves.low);
    },
  };
}

async function execute(parts: ExecutorParts, request: ExecuteRequest, signal?: AbortSignal): Promise<ExecuteResult> {
  // What arrives from another process may be of another version, whatever the type says.
  const version: number = request.version;
  if (version !== EXECUTOR_VERSION) {
    throw new NodeError("settings", `the executor speaks another version than the request's ${version}`, {
      retry: "never",
      hint: "Bring the Worker and the executor to the same version.",
    });
  }
  const backend = parts.models.resolve(request.modelId);
  if (!backend.ok) {
    throw new NodeError("model", backend.refusal.message, {
      retry: "never",
      hint: "List the model in BLF_MODELS and give its backend's key, or leave it out.",
    });
  }
  const timingsMs: Record<string, number> = {};
  const timed = async <T>(step: string, work: Promise<T>): Promise<T> => {
    const startedMs = parts.clock.now();
    try {
      return await work;
    } finally {
      timingsMs[step] = parts.clock.now() - startedMs;
    }
  };
  // First: a key that is lost must cost neither a decryption nor the model, and an answer no one can read costs both.
  const outputKey = request.role === "leader" ? await openOutputKey(parts, request) : null;
  const prompt = await openPrompt(parts, request, timed, signal);
  const answer = await timed("infer", backend.value.infer(request.modelId, prompt, signal));
  const result: ExecuteResult = { version: EXECUTOR_VERSION, answerDigest: await answerDigest(answer), timingsMs };
  if (outputKey === null) return result;
  return { ...result, sealedAnswer: await sealBlob(answer, outputKey, parts.random) };
}

/** Decrypts both key halves in parallel with the download; a gateway whose bytes do not hash to the CID is passed over. */
async function openPrompt(
  parts: ExecutorParts,
  request: ExecuteRequest,
  timed: <T>(step: string, work: Promise<T>) => Promise<T>,
  signal?: AbortSignal,
): Promise<string> {
  const abort = new AbortController();
  const either = signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal]);
  const key = timed(
    "key",
    Promise.all([
      parts.cofhe.decryptUint128(request.keyHandles.high, either),
      parts.cofhe.decryptUint128(request.keyHandles.low, either),
    ]).then(([high, low]) => joinKey(high, low)),
  );
  const prompt = timed(
    "prompt",
    parts.ipfs.download(request.promptCid, async (bytes) => openBlob(bytes, await key), either),
  );
  try {
    const [, text] = await Promise.all([key, prompt]);
    return text;
  } catch (error) {
    abort.abort(error);
    throw error;
  }
}

async function openOutputKey(parts: ExecutorParts, request: ExecuteRequest) {
  if (request.outputKey === undefined) {
    throw new NodeError("internal", "a leader's job came without an output key", {
      retry: "never",
      hint: "This is a bug in the node: report it.",
    });
  }
  return parts.vault.open(OUTPUT_KEY_PURPOSE, outputKeyIdentity(request.node, request.jobId), request.outputKey);
}

export function outputKeyIdentity(node: string, jobId: string): string {
  return `${node}/${jobId}`;
}
