/**
 * Executions by (node, job, role): started once, whatever else asks, and answered from the store ever after. A bounded
 * number runs, a bounded number waits, beyond that the sidecar is busy. What a process before this one left running starts
 * again from its stored request. Invariant: an answer that was kept is given again without asking the model.
 */

import { sha256Hex } from "../../core/crypto/sha256.ts";
import { type Failure, NodeError, toFailure } from "../../core/errors.ts";
import type { ExecuteRequest, ExecuteResult } from "../../core/executor/executor.ts";
import type { Clock, Log } from "../../core/ports.ts";
import { failureToWire } from "../../core/sidecar/failure-wire.ts";
import { type ExecutionId, type ExecutionState, executeBody, type StartedExecution } from "../../core/sidecar/wire.ts";
import type { ExecutionStore } from "./store.ts";

export interface ExecutionsParts {
  store: ExecutionStore;
  /** Runs one; rejects with a NodeError or with the signal's reason. */
  run(request: ExecuteRequest, signal: AbortSignal): Promise<ExecuteResult>;
  clock: Clock;
  log: Log;
  slots: number;
  queueMax: number;
  retentionMs: number;
  onEnd(ended: { outcome: Outcome; ms: number; timingsMs: Readonly<Record<string, number>> }): void;
}

export type Outcome = "done" | "failed" | "cancelled";

export interface Executions {
  start(request: ExecuteRequest, attempt?: number): Promise<StartedExecution>;
  poll(id: ExecutionId): ExecutionState;
  /** False where nothing was queued or running. */
  cancel(id: ExecutionId): boolean;
  load(): { running: number; queued: number };
  /** Starts what a process before this one left running. Call once. */
  resume(): void;
  prune(): void;
  /** Starts nothing more, lets what runs finish for so long, then leaves it to the next process. */
  drain(graceMs: number): Promise<void>;
}

interface Live {
  id: ExecutionId;
  request: ExecuteRequest;
  abort: AbortController;
  startedMs: number | null;
}

/** A claim lasts 300 s: nobody waits any more for what is older than twice that. */
const STALE_MS = 600_000;
/** Sealed answers of the usual size: some 100 MB. */
const ROWS_MAX = 10_000;
const BUSY_MIN_MS = 1_000;
const BUSY_MAX_MS = 60_000;
/** Before anything has finished. */
const TYPICAL_MS = 10_000;

const CANCELLED = new Error("cancelled");
const DRAINED = new Error("the sidecar stops");

export function createExecutions(parts: ExecutionsParts): Executions {
  const { store, run, clock, log, slots, queueMax, onEnd } = parts;
  /** In the order in which they came; those that run come first. */
  const live = new Map<string, Live>();
  let draining = false;
  let typicalMs = TYPICAL_MS;
  let quiet: (() => void) | null = null;

  const running = () => [...live.values()].filter(({ startedMs }) => startedMs !== null).length;
  const queued = () => live.size - running();

  function fill(): void {
    for (const item of live.values()) {
      if (running() >= slots || draining) break;
      if (item.startedMs === null) void keep(item);
    }
    if (running() === 0) quiet?.();
  }

  /** A result that cannot be kept is not given either: the row still says that it runs, and it may be started again. */
  async function keep(item: Live): Promise<void> {
    try {
      await work(item);
    } catch (error) {
      log("error", "execution.not-kept", { job: item.id.jobId, reason: toFailure(error).message });
    } finally {
      if (live.get(nameOf(item.id)) === item) live.delete(nameOf(item.id));
      fill();
    }
  }

  async function work(item: Live): Promise<void> {
    const { id, request, abort } = item;
    const startedMs = clock.now();
    item.startedMs = startedMs;
    const about = { node: id.node, job: id.jobId, role: id.role };
    log("info", "execution.started", { ...about, model: request.modelId });
    const { result, failure } = await outcomeOf(async () => run(request, abort.signal));
    // Cancelled in the very moment it ended: its row is gone, and its answer with it.
    if (abort.signal.aborted) return;
    const ms = clock.now() - startedMs;
    if (failure === null) {
      store.end(id, { state: "done", result }, clock.now());
      typicalMs = Math.round((3 * typicalMs + ms) / 4);
      onEnd({ outcome: "done", ms, timingsMs: result.timingsMs });
      log("info", "execution.done", { ...about, ms });
    } else {
      store.end(id, { state: "failed", error: failureToWire(failure) }, clock.now());
      onEnd({ outcome: "failed", ms, timingsMs: {} });
      log("warn", "execution.failed", { ...about, code: failure.code, retry: failure.retry, reason: failure.message });
    }
  }

  function enqueue(request: ExecuteRequest): void {
    const { node, jobId, role } = request;
    const id = { node, jobId, role };
    live.set(nameOf(id), { id, request, abort: new AbortController(), startedMs: null });
    fill();
  }

  const stateOf = (id: ExecutionId): StartedExecution => ({
    state: "running",
    queued: live.get(nameOf(id))?.startedMs == null,
  });

  function known(id: ExecutionId): ExecutionState {
    if (live.has(nameOf(id))) return stateOf(id);
    const reply = store.get(id)?.reply;
    // One that this process does not run after all, because its end could not be kept: it may be started again.
    return reply === undefined || reply.state === "running" ? { state: "unknown" } : reply;
  }

  return {
    async start(request, attempt) {
      const digest = await sha256Hex(JSON.stringify(executeBody.encode(request)));
      const row = store.get(request);
      if (row !== null && row.digest !== digest) throw otherContent(request);
      if (live.has(nameOf(request))) return stateOf(request);
      if (row?.reply.state === "done") return row.reply;
      if (row?.reply.state === "failed" && row.reply.error.retry === "never") return row.reply;
      if (draining || live.size >= slots + queueMax)
        throw busy(draining ? BUSY_MIN_MS : wait(typicalMs, live.size, slots));
      store.begin(request, digest, clock.now());
      const about = { node: request.node, job: request.jobId, role: request.role };
      log("info", "execution.taken", { ...about, model: request.modelId, attempt });
      enqueue(request);
      return stateOf(request);
    },

    poll: known,

    cancel(id) {
      const item = live.get(nameOf(id));
      if (item === undefined) return false;
      live.delete(nameOf(id));
      store.forget(id);
      item.abort.abort(CANCELLED);
      onEnd({ outcome: "cancelled", ms: item.startedMs === null ? 0 : clock.now() - item.startedMs, timingsMs: {} });
      log("info", "execution.cancelled", { node: id.node, job: id.jobId, role: id.role });
      fill();
      return true;
    },

    load: () => ({ running: running(), queued: queued() }),

    resume() {
      for (const { id, request, createdMs } of store.unfinished()) {
        const fresh = clock.now() - createdMs < STALE_MS;
        log("info", fresh ? "execution.resumed" : "execution.stale", { node: id.node, job: id.jobId, role: id.role });
        if (fresh) enqueue(request);
        else store.forget(id);
      }
    },

    prune: () => void store.prune(clock.now() - parts.retentionMs, ROWS_MAX),

    async drain(graceMs) {
      draining = true;
      if (running() > 0) {
        const over = new AbortController();
        const ended = new Promise<void>((resolve) => {
          quiet = resolve;
        });
        await Promise.race([ended, clock.sleep(graceMs, over.signal).catch(() => undefined)]);
        over.abort();
      }
      // Their rows still say `running`: the next process takes them up.
      for (const { abort } of live.values()) abort.abort(DRAINED);
    },
  };
}

type Ended = { result: ExecuteResult; failure: null } | { result: null; failure: Failure };

async function outcomeOf(run: () => Promise<ExecuteResult>): Promise<Ended> {
  try {
    return { result: await run(), failure: null };
  } catch (error) {
    return { result: null, failure: toFailure(error) };
  }
}

function nameOf({ node, jobId, role }: ExecutionId): string {
  return JSON.stringify([node, jobId, role]);
}

/** Until a slot is likely to be free. */
function wait(typicalMs: number, waiting: number, slots: number): number {
  const ms = (typicalMs * (waiting - slots + 1)) / slots;
  return Math.round(Math.min(Math.max(ms, BUSY_MIN_MS), BUSY_MAX_MS));
}

function busy(retryAfterMs: number): NodeError {
  return new NodeError("sidecar-busy", "every slot is taken and the queue is full, or the sidecar is stopping", {
    retry: "later",
    hint: "The node stops claiming until there is room; BLF_SIDECAR_SLOTS and BLF_SIDECAR_QUEUE set the bounds.",
    retryAfterMs,
  });
}

function otherContent({ jobId }: ExecuteRequest): NodeError {
  return new NodeError("sidecar-refused", `job ${jobId} was started before with other content`, {
    retry: "never",
    hint: "One node, job and role is one execution. Look for a second Worker with this node's address.",
  });
}
