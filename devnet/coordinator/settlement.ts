/**
 * What follows from a decision or a missed claim: the chain is told, then the job's status shows it, then the payment
 * service pays. Everything is tried again while it fails, and nothing is done twice. Invariant: a status is final only
 * after the chain had its chance to record it.
 */
import type { Address } from "viem";
import { toFailure } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { equalHashes } from "./consensus.ts";
import { conclude, expireClaims, type Job, type Member, votes } from "./job.ts";
import type { ChainPort, PaymentPort, SettledJob } from "./ports.ts";
import type { CoordinatorSettings } from "./settings.ts";
import type { CoordinatorState, RecordedFailure } from "./state.ts";

export interface SettlementParts {
  state: CoordinatorState;
  settings: CoordinatorSettings;
  chain: ChainPort;
  payment: PaymentPort;
  clock: Clock;
}

/** A node waits for the answer to its result meanwhile, and its own time-out is 10 s. */
const ANSWER_WITHIN_MS = 5_000;
/** A second apart, by the sweep. After that the status is shown without the chain. */
const ATTEMPTS = 5;
const FAULTS_MAX = 100;

/** One a coordinator. Its methods never throw: what fails is put on record and tried again by the sweep. */
export class Settlement {
  readonly #parts: SettlementParts;
  readonly #running = new Set<Promise<void>>();
  readonly #publishing = new Map<Job, Promise<void>>();
  readonly #attempts = new Map<Job, number>();
  /** Failures that the chain is being told of: telling it twice would count twice. */
  readonly #recording = new Set<RecordedFailure>();
  /** The payment service did not take these. */
  readonly #unpaid = new Set<Job>();

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** Decides the job if it can be decided, and resolves once its status shows it, or after a few seconds. */
  async conclude(job: Job): Promise<void> {
    const published = this.#decide(job);
    if (published) await within(published, ANSWER_WITHIN_MS);
  }

  /** After a recorded commitment: the node's failures on chain are forgiven, late members are paid. */
  delivered(job: Job, node: Address): void {
    void this.#background("resetting failures", () => this.#parts.chain.resetFailures(node));
    if (job.published) this.#pay(job);
  }

  /** Claims that ran out, deadlines, and whatever could not be settled before. */
  async sweep(): Promise<void> {
    const { state, settings, clock } = this.#parts;
    const nowMs = clock.now();
    const open = state.failures.filter(({ tx, attempts }) => tx === null && attempts < ATTEMPTS);
    const work = open.filter((failure) => !this.#recording.has(failure)).map((failure) => this.#record(failure));
    const unpaid = [...this.#unpaid];
    this.#unpaid.clear();
    for (const job of unpaid) this.#pay(job);
    for (const job of state.jobs.values()) {
      for (const { node } of expireClaims(job, nowMs, settings.claimWindowSec * 1_000)) {
        const failure = { jobId: job.id, node, atMs: nowMs, tx: null, attempts: 0 };
        state.failures.push(failure);
        work.push(this.#record(failure));
        if (job.published) this.#pay(job);
      }
      const published = this.#decide(job);
      if (published) work.push(published);
    }
    await Promise.all(work);
  }

  /** Resolves once nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #decide(job: Job): Promise<void> | undefined {
    const { clock, settings } = this.#parts;
    if (job.published || conclude(job, clock.now(), settings.waitForAllSec * 1_000) === null) return undefined;
    const already = this.#publishing.get(job);
    if (already) return already;
    const publishing = this.#background("committing an outcome", () => this.#publish(job));
    this.#publishing.set(job, publishing);
    return publishing;
  }

  async #publish(job: Job): Promise<void> {
    const attempt = (this.#attempts.get(job) ?? 0) + 1;
    this.#attempts.set(job, attempt);
    try {
      await commitOutcome(this.#parts.chain, job);
      job.published = true;
    } catch (error) {
      job.published = attempt >= ATTEMPTS;
      throw error;
    } finally {
      this.#publishing.delete(job);
      if (job.published) this.#pay(job);
    }
  }

  #pay(job: Job): void {
    void this.#background("payment", async () => {
      try {
        await this.#parts.payment.pay(settledJob(job));
      } catch (error) {
        this.#unpaid.add(job);
        throw error;
      }
    });
  }

  #record(failure: RecordedFailure): Promise<void> {
    failure.attempts += 1;
    this.#recording.add(failure);
    return this.#background("recording a failure", async () => {
      try {
        failure.tx = await this.#parts.chain.recordFailure(failure.node);
      } finally {
        this.#recording.delete(failure);
      }
    });
  }

  /** Runs it to its end whoever waits; what it throws is put on record as a code. */
  #background(during: string, work: () => Promise<unknown>): Promise<void> {
    const { state, clock } = this.#parts;
    const running = work().then(
      () => undefined,
      (error: unknown) => {
        const fault = { during, code: toFailure(error).code, atMs: clock.now() };
        if (state.faults.length < FAULTS_MAX) state.faults.push(fault);
      },
    );
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
    return running;
  }
}

async function commitOutcome(chain: ChainPort, job: Job): Promise<void> {
  const { taskId, modelId, outcome, members } = job;
  const [leader, ...others] = members;
  const hash = leader?.commitment?.hash;
  if (leader === undefined || hash === undefined || outcome === "timedout") return;
  const answered = others.filter(({ commitment }) => commitment !== null);
  const verifiers = answered.map(({ node }) => node);
  if (outcome === "rejected") {
    const reason = "too few equal commitments";
    job.resultTx = await chain.commitRejection({ taskId, leader: leader.node, verifiers, modelId, reason });
    return;
  }
  const confirmCount = equalHashes(votes(job)) - 1;
  job.resultTx = await chain.commitResult({
    taskId,
    resultHash: `0x${hash}`,
    leader: leader.node,
    verifiers,
    confirmCount,
    rejectCount: verifiers.length - confirmCount,
    confidence: meanConfidence(answered, hash),
    modelId,
  });
}

/** Of the verifiers that agree, rounded. */
function meanConfidence(verifiers: readonly Member[], hash: string): number {
  const given = verifiers.flatMap(({ commitment }) => (commitment?.hash === hash ? [commitment.confidence ?? 0] : []));
  return given.length === 0 ? 0 : Math.round(given.reduce((sum, one) => sum + one, 0) / given.length);
}

/** Members that never claimed, and those whose claim still runs, are left out. */
function settledJob(job: Job): SettledJob {
  const hash = job.members[0]?.commitment?.hash;
  const settled = job.members.flatMap(({ node, role, commitment, failedAtMs }) => {
    if (commitment === null && failedAtMs === null) return [];
    const earned = job.outcome === "accepted" && commitment?.hash === hash;
    return [{ node, role, part: earned ? ("earned" as const) : ("lost" as const) }];
  });
  return { jobId: job.id, modelId: job.modelId, outcome: job.outcome ?? "timedout", members: settled };
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, tooLong]).finally(() => clearTimeout(timer));
}
