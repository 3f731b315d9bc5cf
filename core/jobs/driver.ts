/**
 * Drives one job: loads it, performs the effects that are due, saves what each brought, and says when to be woken.
 * It saves before it performs and never performs one effect twice at once in this process; a crash anywhere leaves a
 * row from which `run` goes on. It does not catch a failing store: then nothing must go on.
 */
import { toFailure } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import type { Clock, Log } from "../ports.ts";
import { type EffectKind, isFinal, type Job } from "./job.ts";
import { effectsOf, horizonMs, type JobEvent, step } from "./machine.ts";

/** The job's one row. `save` runs `alongside` in the same transaction and refuses when the version has moved on. */
export interface JobStore {
  load(): Job | null;
  save(job: Job, previousVersion: number, alongside?: () => void): boolean;
}

/** What an effect brought, and what must be stored together with it. */
export interface EffectResult {
  event: JobEvent;
  alongside?: () => void;
}

export type PerformEffect = (kind: EffectKind, job: Job, signal: AbortSignal) => Promise<EffectResult>;

export interface DriverParts {
  store: JobStore;
  perform: PerformEffect;
  clock: Clock;
  log: Log;
  /** Told after every saved change of state. Must not throw. */
  onMoved(job: Job): void;
}

export class JobDriver {
  readonly #parts: DriverParts;
  readonly #running = new Map<EffectKind, Promise<void>>();
  readonly #abort = new AbortController();
  #run: Promise<number | null> | null = null;

  constructor(parts: DriverParts) {
    this.#parts = parts;
  }

  /**
   * Performs whatever is due until nothing is. A second call while one is under way joins it.
   * @returns when to call again, ms since the epoch; null when the job is final or absent
   */
  run(): Promise<number | null> {
    this.#run ??= this.#loop().finally(() => {
      this.#run = null;
    });
    return this.#run;
  }

  /** Applies an event and saves; returns the job as it then is, or null where there is none. */
  apply(event: JobEvent, alongside?: () => void): Job | null {
    const { store, clock, log } = this.#parts;
    const job = store.load();
    if (job === null) return null;
    const next = step(job, event, clock.now()).job;
    if (next === job) return job;
    if (!store.save(next, job.version, alongside)) {
      log("warn", "job.save-refused", { jobId: job.jobId, version: job.version });
      return store.load();
    }
    if (next.state !== job.state) this.#moved(next);
    return next;
  }

  #moved(job: Job): void {
    this.#parts.log(job.state === "failed" ? "warn" : "info", `job.${job.state}`, {
      node: job.node,
      jobId: job.jobId,
      role: job.role,
      model: job.modelId,
      ...(job.outcome === null ? {} : { outcome: job.outcome }),
      ...(job.verdict === null ? {} : { verdict: job.verdict }),
      ...(job.failure === null ? {} : { code: job.failure.code, reason: job.failure.message }),
    });
    if (isFinal(job)) this.#abort.abort(new Error("the job is over"));
    this.#parts.onMoved(job);
  }

  async #loop(): Promise<number | null> {
    for (;;) {
      const job = this.apply({ type: "tick" });
      if (job === null || isFinal(job)) return null;
      const nowMs = this.#parts.clock.now();
      const effects = effectsOf(job);
      for (const { kind, notBeforeMs } of effects) {
        if (!this.#running.has(kind) && notBeforeMs <= nowMs) this.#start(kind, job);
      }
      const waiting = effects.filter(({ kind }) => !this.#running.has(kind)).map((effect) => effect.notBeforeMs);
      const wakeMs = Math.min(...waiting, horizonMs(job) ?? Number.POSITIVE_INFINITY);
      if (this.#running.size === 0) return wakeMs;
      await this.#nextChange(wakeMs - nowMs);
    }
  }

  /** Waits for a running effect to end or for `ms` to pass. */
  async #nextChange(ms: number): Promise<void> {
    const timer = new AbortController();
    const elapsed = this.#parts.clock.sleep(Math.max(0, ms), timer.signal).catch(() => undefined);
    await Promise.race([...this.#running.values(), elapsed]);
    timer.abort();
  }

  #start(kind: EffectKind, job: Job): void {
    const work = this.#perform(kind, job).finally(() => this.#running.delete(kind));
    this.#running.set(kind, work);
  }

  async #perform(kind: EffectKind, job: Job): Promise<void> {
    let result: EffectResult;
    try {
      if (__FAILPOINTS__) await failpoint(`${kind}.begun`, job.node, job.jobId);
      result = await this.#parts.perform(kind, job, this.#abort.signal);
    } catch (error) {
      // Called off because the job is over: nothing failed.
      if (this.#abort.signal.aborted) return;
      const failure = toFailure(error);
      this.#parts.log("warn", "job.effect-failed", {
        node: job.node,
        jobId: job.jobId,
        effect: kind,
        code: failure.code,
        reason: failure.message,
        retry: failure.retry,
      });
      result = { event: { type: "effect-failed", effect: kind, failure } };
    }
    if (__FAILPOINTS__ && result.event.type !== "wait") await failpoint(`${kind}.unsaved`, job.node, job.jobId);
    this.apply(result.event, result.alongside);
    if (__FAILPOINTS__ && result.event.type !== "wait") await failpoint(`${kind}.saved`, job.node, job.jobId);
  }
}
