/**
 * A leader's output key: the same one for a (node, job) however often it is asked for, wrapped for that job, and encrypted
 * for the chain. The encryption is bound to the node's account and to nothing in the job (protocol §3), so keys are made
 * ahead of time; each is handed out once. Proofs run one after another, a job's before the pool's.
 */
import { type Failure, NodeError, toFailure } from "../../core/errors.ts";
import { OUTPUT_KEY_PURPOSE, outputKeyIdentity } from "../../core/executor/edge-executor.ts";
import type { EncryptedOutputKey, Executor } from "../../core/executor/executor.ts";
import type { Clock, Log, RandomBytes } from "../../core/ports.ts";
import type { OutputKeyRequest, OutputKeyState } from "../../core/sidecar/wire.ts";
import type { Vault } from "../../core/vault.ts";
import type { OutputKeyRow, OutputKeyStore } from "./store.ts";

export interface OutputKeysParts {
  store: OutputKeyStore;
  vault: Vault;
  executorOf(node: string): Pick<Executor, "newOutputKey" | "encryptOutputKey">;
  /** Nodes whose keys can be encrypted here: only those have a pool. */
  pooledNodes: readonly string[];
  poolSize: number;
  random: RandomBytes;
  clock: Clock;
  log: Log;
}

export interface OutputKeys {
  ask(request: OutputKeyRequest): Promise<OutputKeyState>;
  /** Fills the pool in the background; at once, and whenever a key was taken. */
  fill(): void;
  pool(): { size: number; ready: number };
  stop(): void;
}

/** Tells pool keys apart from jobs' keys: what was wrapped for the one cannot be opened as the other. */
const POOL_PURPOSE = "output-key-pool";
const KEY_BYTES = 32;
/** A mock's encryption is done by then, and so is a proof that was begun before. */
const PATIENCE_MS = 3_000;
const FILL_AGAIN_MS = 30_000;

export function createOutputKeys(parts: OutputKeysParts): OutputKeys {
  const { store, vault, executorOf, pooledNodes, poolSize, random, clock, log } = parts;
  /** Per job: so that two that ask at once get one key. */
  const making = new Map<string, Promise<string>>();
  const proofs = new Map<string, Promise<EncryptedOutputKey>>();
  const failures = new Map<string, Failure>();
  const oneByOne = createQueue();
  const over = new AbortController();
  let filling = false;

  /** The job's key, wrapped for it. */
  async function keyOf({ node, jobId, outputKey }: OutputKeyRequest): Promise<string> {
    const row = store.get(node, jobId);
    if (outputKey !== undefined) {
      if (row?.wrapped === outputKey) return outputKey;
      // Refuses a key that was not wrapped here, for this very job.
      await vault.open(OUTPUT_KEY_PURPOSE, outputKeyIdentity(node, jobId), outputKey);
      store.put(node, jobId, outputKey, clock.now());
      return outputKey;
    }
    for (let own = row ?? take(node, jobId); own !== null; own = take(node, jobId)) {
      const wrapped = own.poolId === null ? own.wrapped : await rewrap(node, jobId, own, own.poolId);
      if (wrapped !== null) return wrapped;
    }
    const made = await executorOf(node).newOutputKey(node, jobId);
    store.put(node, jobId, made, clock.now());
    return made;
  }

  const take = (node: string, jobId: string) => store.take(node, jobId, clock.now());

  /** Null for a key of the pool that no storage key opens any more: nobody has it yet, so another one will do. */
  async function rewrap(node: string, jobId: string, row: OutputKeyRow, poolId: string): Promise<string | null> {
    const key = await vault.open(POOL_PURPOSE, poolId, row.wrapped).catch((error: unknown) => {
      log("warn", "output-key.pool-unreadable", { node, reason: toFailure(error).message });
      return null;
    });
    if (key === null) return null;
    const wrapped = await vault.seal(OUTPUT_KEY_PURPOSE, outputKeyIdentity(node, jobId), key);
    store.rewrapped(node, jobId, wrapped);
    return wrapped;
  }

  function prove(node: string, jobId: string, wrapped: string): Promise<EncryptedOutputKey> {
    const name = JSON.stringify([node, jobId, wrapped]);
    const known = proofs.get(name);
    if (known !== undefined) return known;
    const proof = oneByOne("job", () => executorOf(node).encryptOutputKey(node, jobId, wrapped))
      .then((encrypted) => {
        store.encrypted(node, jobId, wrapped, encrypted);
        return encrypted;
      })
      .catch((error: unknown) => {
        failures.set(name, toFailure(error));
        throw error;
      })
      .finally(() => proofs.delete(name));
    proofs.set(name, proof);
    return proof;
  }

  async function ask(request: OutputKeyRequest): Promise<OutputKeyState> {
    const { node, jobId } = request;
    const name = JSON.stringify([node, jobId]);
    const pending = making.get(name) ?? Promise.resolve("");
    const made = pending.catch(() => undefined).then(() => keyOf(request));
    making.set(name, made);
    const outputKey = await made.finally(() => {
      if (making.get(name) === made) making.delete(name);
    });
    fill();
    const ready = store.get(node, jobId)?.encrypted;
    if (ready != null) return { state: "ready", outputKey, encrypted: ready };
    // The reason of a proof that failed while nobody waited for it.
    const proofName = JSON.stringify([node, jobId, outputKey]);
    const failure = failures.get(proofName);
    failures.delete(proofName);
    if (failure !== undefined) throw new NodeError(failure.code, failure.message, failure);
    const done = new AbortController();
    const patience = clock.sleep(PATIENCE_MS, done.signal).then(
      () => null,
      () => null,
    );
    const proof = prove(node, jobId, outputKey);
    try {
      const encrypted = await Promise.race([proof, patience]);
      if (encrypted !== null) return { state: "ready", outputKey, encrypted };
      proof.catch(() => undefined);
      return { state: "proving", outputKey };
    } catch (error) {
      failures.delete(proofName);
      throw error;
    } finally {
      done.abort();
    }
  }

  async function fillPool(): Promise<void> {
    for (const node of pooledNodes) {
      while (!over.signal.aborted && store.pooled(node) < poolSize) {
        const poolId = `${node}/${bytesToHex(random(16))}`;
        const key = random(KEY_BYTES);
        const wrapped = await vault.seal(POOL_PURPOSE, poolId, key);
        // The executor encrypts what is wrapped for a job; this one is nobody's yet.
        const asJob = await vault.seal(OUTPUT_KEY_PURPOSE, outputKeyIdentity(node, poolId), key);
        const encrypted = await oneByOne("pool", () => executorOf(node).encryptOutputKey(node, poolId, asJob));
        if (!over.signal.aborted) store.fill(node, { poolId, wrapped, encrypted }, clock.now());
      }
    }
  }

  async function keepFilled(): Promise<void> {
    while (!over.signal.aborted) {
      try {
        return await fillPool();
      } catch (error) {
        const { code, message } = toFailure(error);
        log("warn", "output-key.pool-failed", { code, reason: message });
        await clock.sleep(FILL_AGAIN_MS, over.signal).catch(() => undefined);
      }
    }
  }

  function fill(): void {
    if (filling || over.signal.aborted) return;
    filling = true;
    void keepFilled().finally(() => {
      filling = false;
    });
  }

  return {
    ask,
    fill,
    pool: () => ({
      size: poolSize * pooledNodes.length,
      ready: pooledNodes.reduce((sum, node) => sum + store.pooled(node), 0),
    }),
    stop: () => over.abort(),
  };
}

type OneByOne = <T>(kind: "job" | "pool", work: () => Promise<T>) => Promise<T>;

/** One proof at a time: each takes all of a core for seconds. Jobs' go first. */
function createQueue(): OneByOne {
  const waiting = { job: [] as (() => void)[], pool: [] as (() => void)[] };
  let busy = false;
  const next = () => {
    const go = waiting.job.shift() ?? waiting.pool.shift();
    busy = go !== undefined;
    go?.();
  };
  return async (kind, work) => {
    if (busy) await new Promise<void>((resolve) => waiting[kind].push(resolve));
    busy = true;
    try {
      return await work();
    } finally {
      next();
    }
  };
}

function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
