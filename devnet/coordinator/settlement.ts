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

export interface Settlement {
  /** Decides the job if it can be decided, and resolves once its status shows it, or after a few seconds. */
  conclude(job: Job): Promise<void>;
  /** After a recorded commitment: the node's failures on chain are forgiven, late members are paid. */
  delivered(job: Job, node: Address): void;
  /** Claims that ran out, deadlines, and whatever could not be settled before. */
  sweep(): Promise<void>;
  /** Resolves once nothing is in flight. */
  idle(): Promise<void>;
}

/** A node waits for the answer to its result meanwhile, and its own time-out is 10 s. */
const ANSWER_WITHIN_MS = 5_000;
/** A second apart, by the sweep. After that the status is shown without the chain. */
const ATTEMPTS = 5;
const FAULTS_MAX = 100;

export function createSettlement(parts: SettlementParts): Settlement {
  const { state, settings, clock } = parts;
  const running = new Set<Promise<void>>();
  const publishing = new Map<Job, Promise<void>>();
  const attempts = new Map<Job, number>();
  /** Reported to the payment service, and not answered for yet. */
  const unpaid = new Set<Job>();

  const background = (during: string, work: () => Promise<unknown>) => {
    const promise = work().then(
      () => undefined,
      (error: unknown) => {
        if (state.faults.length < FAULTS_MAX) {
          state.faults.push({ during, code: toFailure(error).code, atMs: clock.now() });
        }
      },
    );
    running.add(promise);
    void promise.then(() => running.delete(promise));
    return promise;
  };

  const pay = (job: Job) =>
    void background("payment", async () => {
      unpaid.add(job);
      await parts.payment.pay(settledJob(job));
      unpaid.delete(job);
    });

  const publish = (job: Job): Promise<void> => {
    const already = publishing.get(job);
    if (already) return already;
    const promise = background("committing an outcome", async () => {
      const attempt = (attempts.get(job) ?? 0) + 1;
      attempts.set(job, attempt);
      try {
        await commitOutcome(parts.chain, job);
        job.published = true;
      } catch (error) {
        job.published = attempt >= ATTEMPTS;
        throw error;
      } finally {
        publishing.delete(job);
        if (job.published) pay(job);
      }
    });
    publishing.set(job, promise);
    return promise;
  };

  const decideNow = (job: Job): Promise<void> | undefined => {
    if (job.published || conclude(job, clock.now(), settings.waitForAllSec * 1_000) === null) return undefined;
    return publish(job);
  };

  const recordFailure = (failure: RecordedFailure) => {
    failure.attempts += 1;
    return background("recording a failure", async () => {
      failure.tx = await parts.chain.recordFailure(failure.node);
    });
  };

  return {
    async conclude(job) {
      const published = decideNow(job);
      if (published) await within(published, ANSWER_WITHIN_MS);
    },
    delivered(job, node) {
      void background("resetting failures", () => parts.chain.resetFailures(node));
      if (job.published) pay(job);
    },
    async sweep() {
      const nowMs = clock.now();
      const work: Promise<void>[] = state.failures
        .filter(({ tx, attempts: tried, atMs }) => tx === null && tried < ATTEMPTS && atMs < nowMs)
        .map(recordFailure);
      unpaid.forEach(pay);
      for (const job of state.jobs.values()) {
        for (const member of expireClaims(job, nowMs, settings.claimWindowSec * 1_000)) {
          const failure = { jobId: job.id, node: member.node, atMs: nowMs, tx: null, attempts: 0 };
          state.failures.push(failure);
          work.push(recordFailure(failure));
          if (job.published) pay(job);
        }
        const published = decideNow(job);
        if (published) work.push(published);
      }
      await Promise.all(work);
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
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
