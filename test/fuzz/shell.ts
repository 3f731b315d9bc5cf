/**
 * A model of the shell around a job: the real driver and the real effects over a row that survives, processes that die,
 * and a world that acts, fails, loses its answers or sends no word, as the script says. It judges as it goes: nothing is
 * performed that is not saved, nothing is submitted that the guard did not record, and one commitment is all there is.
 */
import { NodeError } from "../../core/errors.ts";
import type { Role } from "../../core/icl/schema.ts";
import { JobDriver, type JobStore } from "../../core/jobs/driver.ts";
import { createEffects, type EffectPorts } from "../../core/jobs/effects.ts";
import { type EffectKind, isFinal, JOB_SCHEMA, type Job, newJob } from "../../core/jobs/job.ts";
import { effectsOf } from "../../core/jobs/machine.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "../../core/jobs/sample-offer.ts";
import { readJob } from "../../core/jobs/upgrade.ts";
import type { Clock } from "../../core/ports.ts";
import { must } from "./property.ts";

/** What one call of the world comes to. `lost`: it acts and the answer is lost. `dies`: the process, before or after it acts. */
export const TURNS = ["acts", "fails", "never", "lost", "dies-before", "dies-after", "dies-saving", "clock"] as const;
export interface Turn {
  turn: (typeof TURNS)[number];
  afterMs: number;
  byMs: number;
}

const CID = "bafkreif5r4yzqfj75h4gvrvdbaxh24iio2ab25jykfmdekhqyluhkjc64i";
const INPUT = { ctHash: "1", securityZone: 0, utype: 6, signature: "0x00" };
/** Far more than any job needs: each wake-up moves time or the job. */
const MAX_WAKES = 2_000;

/** Time that passes when all are asleep; what it says may jump. */
class Time implements Clock {
  ms = 0;
  jumpedMs = 0;
  /** Effects that are doing something else than sleeping, such as hashing: no time passes for that. */
  busy = 0;
  readonly #sleepers = new Set<{ untilMs: number; wake(): void }>();
  #passing = false;

  now(): number {
    return SAMPLE_MS + this.ms + this.jumpedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.ms + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      this.#soon();
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  #soon(): void {
    if (this.#passing) return;
    this.#passing = true;
    setImmediate(() => {
      this.#passing = false;
      if (this.busy === 0) this.#pass();
      if (this.#sleepers.size > 0) this.#soon();
    });
  }

  #pass(): void {
    const [first] = [...this.#sleepers].sort((one, other) => one.untilMs - other.untilMs);
    if (first === undefined) return;
    this.#sleepers.delete(first);
    this.ms = Math.max(this.ms, first.untilMs);
    first.wake();
  }
}

/** What a dead process's code meets wherever it turns. */
class Killed extends Error {}

export class Shell {
  readonly time = new Time();
  readonly submitted = new Set<string>();
  readonly #broken: string[] = [];
  readonly #recorded = new Set<string>();
  readonly #saved = new Set<string>();
  readonly #script: Turn[];
  readonly #fair: boolean;
  #json: string;
  #sealed: Uint8Array<ArrayBuffer> | null = null;
  #answers = 0;

  constructor(role: Role, script: readonly Turn[], fair: boolean) {
    this.#script = [...script];
    this.#fair = fair;
    this.#json = JSON.stringify(newJob(SAMPLE_NODE, sampleOffer(role), SAMPLE_MS));
    this.#saved.add(this.#json);
  }

  /** Kept as well as thrown: the driver takes whatever an effect throws for the effect's failure. */
  #judge(holds: boolean, promise: string): void {
    if (!holds) this.#broken.push(promise);
    must(holds, promise);
  }

  get job(): Job {
    const read = readJob(JOB_SCHEMA, this.#json);
    if (!read.ok) throw new Error(read.refusal.message);
    return read.value;
  }

  /** Lives the job to its end, one process after another. */
  async live(): Promise<void> {
    let process = new Process(this);
    for (let wakes = 0; !isFinal(this.job); wakes++) {
      this.#judge(wakes < MAX_WAKES, "a job comes to its end");
      const wakeMs = await process.run();
      if (!process.alive) process = new Process(this);
      else if (wakeMs !== null) await this.time.sleep(Math.max(0, wakeMs - this.time.now()));
    }
    must(this.#broken.length === 0, this.#broken.join("; "));
    this.#judge(this.#recorded.size <= 1, "the guard recorded one commitment");
    this.#judge(this.submitted.size <= 1, "one commitment was submitted");
  }

  save(job: Job, previousVersion: number, alongside?: () => void): boolean {
    if (this.job.version !== previousVersion) return false;
    const before = this.job;
    this.#judge(
      job.version === before.version + 1 && !isFinal(before),
      "a save is one step on, and none after the end",
    );
    alongside?.();
    this.#judge(
      job.state !== "answered" || job.role === "verifier" || this.#sealed !== null,
      "an answer is saved with its digest",
    );
    this.#json = JSON.stringify(job);
    this.#saved.add(this.#json);
    return true;
  }

  /** Before an effect begins: it must follow from a row that was saved. */
  begins(kind: EffectKind, job: Job): void {
    this.#judge(this.#saved.has(JSON.stringify(job)), "nothing is performed before it is saved");
    this.#judge(
      effectsOf(job).some((due) => due.kind === kind),
      "nothing is performed that is not due",
    );
  }

  /** One call of the world by a process. */
  async call<T>(process: Process, act: () => T): Promise<T> {
    const { turn, afterMs, byMs } = this.#script.shift() ?? {
      turn: this.#fair ? "acts" : "fails",
      afterMs: 900,
      byMs: 0,
    };
    process.mustLive();
    if (turn === "dies-before") process.kill();
    this.time.busy -= 1;
    await this.time.sleep(afterMs);
    this.time.busy += 1;
    process.mustLive();
    if (turn === "clock") this.time.jumpedMs += byMs;
    if (turn === "fails" || turn === "never") throw failure(turn === "never");
    const brought = act();
    if (turn === "lost") throw failure(false);
    if (turn === "dies-after") process.kill();
    if (turn === "dies-saving") process.diesAtNextSave = true;
    return brought;
  }

  portsOf(process: Process): EffectPorts {
    const call = <T>(act: () => T): Promise<T> => this.call(process, act);
    return {
      icl: this.#coordinator(call),
      clock: this.time,
      skipOutputKeyStorage: false,
      onFailure: () => undefined,
      recordClaimSent: () => process.driver.apply({ type: "claim-sent" }),
      executor: {
        // No two runs of a model are sure to agree: a second one must not become a second commitment.
        execute: () =>
          call(() => {
            this.#answers += 1;
            const answerDigest = this.#answers.toString(16).padStart(64, "0");
            return { version: 1, answerDigest, sealedAnswer: new Uint8Array(40), timingsMs: {} };
          }),
        newOutputKey: () => call(() => "v1.wrapped"),
        encryptOutputKey: () => call(() => ({ high: INPUT, low: INPUT })),
      },
      pinner: { pin: () => call(() => ({ cid: CID })) },
      answers: { saveSealed: (bytes) => (this.#sealed = bytes), loadSealed: () => this.#sealed },
      guard: {
        record: ({ commitment }) =>
          call(() => {
            if (this.#recorded.size > 0 && !this.#recorded.has(commitment))
              return { ok: false, refusal: "another one" };
            this.#recorded.add(commitment);
            return { ok: true, value: null };
          }),
      },
      account: {
        storeOutputKey: () => call(() => ({ state: "confirmed", hash: "0x01" })),
        outputKeyStands: () => call(() => true),
      },
    };
  }

  #coordinator(call: <T>(act: () => T) => Promise<T>): EffectPorts["icl"] {
    const submit = (commitment: string) =>
      call(() => {
        this.#judge(this.#recorded.has(commitment), "nothing is submitted that the guard did not record");
        this.#judge(this.job.commitment === commitment, "nothing is submitted that the row does not hold");
        this.submitted.add(commitment);
        return { status: "committed" };
      });
    return {
      ...unused,
      claim: (_jobId, onLeaving) => {
        onLeaving?.();
        this.#judge(
          this.job.claimSentAtMs !== null || this.job.state !== "offered",
          "a claim is saved before it is sent",
        );
        return call(() => ({ kpHighHandle: 7n, kpLowHandle: 9n }));
      },
      submitResult: (result) => {
        this.#judge(
          result.encrypted_output_key_inputs !== undefined && result.output_cid === CID,
          "a result has its key and CID",
        );
        return submit(result.commitment_hash);
      },
      submitVerdict: ({ commitment_hash }) => submit(commitment_hash),
      jobStatus: () =>
        call(() => {
          const status = this.submitted.size > 0 ? "ACCEPTED" : "QUEUED";
          return { status, outputCid: CID, leaderCommitment: "ab".repeat(32), failureReason: null };
        }),
    };
  }
}

/** One process: its driver, and what dies with it. */
class Process implements JobStore {
  alive = true;
  diesAtNextSave = false;
  readonly driver: JobDriver;
  readonly #shell: Shell;

  constructor(shell: Shell) {
    this.#shell = shell;
    const perform = createEffects(shell.portsOf(this));
    this.driver = new JobDriver({
      store: this,
      clock: shell.time,
      log: () => undefined,
      onMoved: () => undefined,
      perform: (kind, job, signal) => {
        this.mustLive();
        shell.begins(kind, job);
        shell.time.busy += 1;
        return perform(kind, job, signal).finally(() => {
          shell.time.busy -= 1;
        });
      },
    });
  }

  /** Until there is nothing due, or the process has died. */
  async run(): Promise<number | null> {
    try {
      return await this.driver.run();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      return null;
    }
  }

  load(): Job {
    this.mustLive();
    return this.#shell.job;
  }

  save(job: Job, previousVersion: number, alongside?: () => void): boolean {
    this.mustLive();
    const saved = this.#shell.save(job, previousVersion, alongside);
    if (this.diesAtNextSave) this.kill();
    return saved;
  }

  kill(): never {
    this.alive = false;
    throw new Killed();
  }

  mustLive(): void {
    if (!this.alive) throw new Killed();
  }
}

function failure(never: boolean): NodeError {
  return new NodeError("icl-unreachable", "it failed", { retry: never ? "never" : "later", hint: "mend it" });
}

const no = () => Promise.reject(new Error("no effect asks for this"));
const unused: EffectPorts["icl"] = {
  challenge: no,
  verifyAttestation: no,
  heartbeat: no,
  assignments: no,
  nodeRecord: no,
  health: no,
  claim: no,
  submitResult: no,
  submitVerdict: no,
  jobStatus: no,
  clockSkewMs: () => null,
  clockCorrectionMs: () => 0,
};
