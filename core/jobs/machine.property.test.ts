/**
 * The promises of the job machine over random lives: any event in any state, fitting or not, failures of every kind, crashes
 * that leave only the row's JSON, and a clock that jumps an hour either way. Every change a life makes is judged, not only
 * its end. FUZZ_SEED gives another seed, FUZZ_RUNS=full more lives.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Failure } from "../errors.ts";
import type { Role } from "../icl/schema.ts";
import { EFFECTS, type EffectKind, isFinal, JOB_STATES, type Job, newJob, OUTCOMES } from "./job.ts";
import { CLAIM_WINDOW_MS, effectsOf, horizonMs, type JobEvent, step } from "./machine.ts";
import { MAX_ATTEMPTS } from "./policy.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "./sample-offer.ts";
import { readJob } from "./upgrade.ts";

const LIVES = {
  seed: Number(process.env.FUZZ_SEED ?? 20_270_115),
  numRuns: process.env.FUZZ_RUNS === "full" ? 20_000 : 150,
};
const TIMEOUT_MS = 600_000;
const HOUR_MS = 3_600_000;
const INPUT = { ctHash: "1", securityZone: 0, utype: 6, signature: "0x00" };

/** Now and then the other: a life that ends at once shows little. */
const mostly = <T>(usual: T, other: T) =>
  fc.oneof({ weight: 14, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(other) });
const hash = fc.constantFrom("aa", "bb", "cc").map((byte) => byte.repeat(32));
const cid = fc.constantFrom("bafkone", "bafktwo");
const handles = fc.record({ high: mostly("7", "0"), low: mostly("9", "0") });
const failure: fc.Arbitrary<Failure> = fc
  .record({
    code: fc.constantFrom<Failure["code"]>("icl-unreachable", "model", "pin-refused", "guard-refused", "internal"),
    retry: mostly<Failure["retry"]>("later", "never"),
    admitted: fc.constantFrom<Failure["admitted"]>("yes", "no", "unknown"),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: HOUR_MS }), { freq: 4 }),
  })
  .map(({ retryAfterMs, ...rest }) => ({
    ...rest,
    message: "it failed",
    hint: "mend it",
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  }));

const claimed = fc
  .record({
    keyHandles: handles,
    named: fc.option(
      fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 200, max: 1200 }) },
        { weight: 1, arbitrary: fc.integer({ min: -600, max: 200 }) },
      ),
    ),
    sentBeforeMs: fc.constantFrom(0, 20, 9_000),
  })
  .map(({ keyHandles, named, sentBeforeMs }) => ({
    type: "claimed" as const,
    keyHandles,
    outputKey: "v1.wrapped",
    sentAtMs: SAMPLE_MS - sentBeforeMs,
    ...(named === null ? {} : { claimDeadlineSec: SAMPLE_MS / 1000 + named }),
  }));

/** What an effect may bring that went well. */
const BROUGHT: Record<EffectKind, fc.Arbitrary<JobEvent>> = {
  claim: claimed,
  execute: hash.map((answerDigest) => ({ type: "executed", answerDigest, timingsMs: { infer: 1 } })),
  "encrypt-key": fc.constant({ type: "key-encrypted", encryptedKey: { high: INPUT, low: INPUT } }),
  "find-leader": fc
    .tuple(cid, fc.option(hash))
    .map(([outputCid, leaderCommitment]) => ({ type: "leader-found", outputCid, leaderCommitment })),
  pin: cid.map((outputCid) => ({ type: "pinned", outputCid })),
  commit: fc
    .tuple(hash, fc.constantFrom("CONFIRM" as const, "REJECT" as const, null))
    .map(([commitment, verdict]) => ({ type: "committed", commitment, verdict })),
  grant: fc.option(fc.constant("0x01")).map((tx) => ({ type: "granted", tx })),
  submit: fc.constant({ type: "submitted" }),
  follow: fc.constantFrom(...OUTCOMES).map((outcome) => ({ type: "finalized", outcome })),
};

const effect = fc.constantFrom(...EFFECTS);
const anyEvent: fc.Arbitrary<JobEvent> = fc.oneof(
  ...Object.values(BROUGHT).map((arbitrary) => ({ weight: arbitrary === BROUGHT.follow ? 1 : 3, arbitrary })),
  fc.constantFrom<JobEvent>({ type: "claim-sent" }, { type: "tick" }),
  effect.map((kind) => ({ type: "wait" as const, effect: kind })),
  fc.tuple(effect, failure).map(([kind, why]) => ({ type: "effect-failed" as const, effect: kind, failure: why })),
);

/** What one effect that is due comes to: its own result `times` over, none at all, or a failure. */
const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("brings" as const, "brings" as const, "brings" as const, "wait" as const) },
  { weight: 2, arbitrary: failure },
);
type Move =
  | { do: "event"; event: JobEvent }
  | {
      do: "effect";
      pick: number;
      fate: "brings" | "wait" | Failure;
      brings: Record<EffectKind, JobEvent>;
      times: number;
    }
  | { do: "crash" }
  | { do: "clock"; byMs: number };
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: anyEvent.map((event) => ({ do: "event" as const, event })) },
  {
    weight: 24,
    arbitrary: fc.record({
      do: fc.constant("effect" as const),
      pick: fc.nat({ max: 5 }),
      fate,
      brings: fc.record(BROUGHT),
      times: fc.oneof(
        { weight: 30, arbitrary: fc.constantFrom(1, 1, 1, 2) },
        { weight: 1, arbitrary: fc.constant(70) },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ do: "crash" as const }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20_000 }).map((byMs) => ({ do: "clock" as const, byMs })) },
  { weight: 1, arbitrary: fc.integer({ min: -HOUR_MS, max: HOUR_MS }).map((byMs) => ({ do: "clock" as const, byMs })) },
);

const role = fc.constantFrom<Role>("leader", "verifier");
/** The role, and what happens. */
const life = fc.tuple(role, fc.array(move, { maxLength: 60, size: "max" }));

/** What is never given up once it is there. */
const KEPT = [
  "claimSentAtMs",
  "offeredHandles",
  "keyHandles",
  "commitment",
  "answerDigest",
  "outputCid",
  "encryptedKey",
] as const;

/** A job on its way: every step it takes is judged. */
class Life {
  job: Job;
  nowMs = SAMPLE_MS;
  readonly commitments = new Set<string>();
  readonly failed = new Map<EffectKind, number>();

  constructor(role: Role) {
    this.job = frozen(newJob(SAMPLE_NODE, sampleOffer(role), SAMPLE_MS));
  }

  make(moves: readonly Move[]): void {
    for (const next of moves) this.#make(next);
  }

  apply(event: JobEvent): void {
    const before = this.job;
    const text = JSON.stringify(before);
    const taken = step(before, frozen(event), this.nowMs);
    must(JSON.stringify(before) === text, "a step leaves the job that it was given alone");
    must(same(step(before, event, this.nowMs), taken), "the same step comes to the same");
    must(same(taken.effects, effectsOf(taken.job)), "what is due follows from the row alone");
    this.#judge(before, event, taken.job);
    this.job = frozen(taken.job);
  }

  #make(next: Move): void {
    if (next.do === "clock") this.nowMs += next.byMs;
    else if (next.do === "crash") this.job = frozen(reloaded(this.job));
    else if (next.do === "event") this.apply(next.event);
    else {
      const due = effectsOf(this.job);
      const kind = due[next.pick % Math.max(due.length, 1)]?.kind;
      const event: JobEvent = kind === undefined ? { type: "tick" } : eventOf(kind, next);
      for (let time = 0; time < next.times; time++) this.apply(event);
    }
  }

  #judge(before: Job, event: JobEvent, after: Job): void {
    must(!isFinal(before) || after === before, "a final state never changes");
    must(after.version - before.version === (after === before ? 0 : 1), "the version rises by one a change");
    must(JOB_STATES.indexOf(after.state) >= JOB_STATES.indexOf(before.state), "no state is left backwards");
    if (after.commitment !== null) this.commitments.add(after.commitment);
    must(this.commitments.size <= 1, "there is one commitment");
    for (const field of KEPT) must(before[field] === null || same(after[field], before[field]), `${field} is kept`);
    const claims = event.type === "claimed" && before.state === "offered" && after !== before;
    if (claims) judgeDeadline(event, after);
    else must(after.deadlineMs === before.deadlineMs, "only the claim sets the deadline");
    if (event.type === "effect-failed" && after !== before) this.#count(event.effect);
    if (effectsOf(after).some(({ kind }) => kind === "submit")) judgeSubmission(after);
    const end = horizonMs(after);
    if (isFinal(after)) must(end === null && after.outputKey === null && same(after.work, {}), "the end clears up");
    else must(end !== null && this.nowMs < end, "a job that is not final has time left");
  }

  #count(kind: EffectKind): void {
    const failures = (this.failed.get(kind) ?? 0) + 1;
    this.failed.set(kind, failures);
    // Following ends with time alone: nothing is owed any more.
    must(kind === "follow" || failures <= MAX_ATTEMPTS, "no effect fails more often than its budget allows");
  }
}

/** Of expect's kind, without its price: a life makes thousands of these. */
function must(holds: boolean, promise: string): void {
  if (!holds) throw new Error(`broken: ${promise}`);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function eventOf(kind: EffectKind, next: Extract<Move, { do: "effect" }>): JobEvent {
  if (next.fate === "brings") return next.brings[kind];
  return next.fate === "wait"
    ? { type: "wait", effect: kind }
    : { type: "effect-failed", effect: kind, failure: next.fate };
}

function judgeDeadline(event: Extract<JobEvent, { type: "claimed" }>, job: Job): void {
  const bounds = [event.sentAtMs + CLAIM_WINDOW_MS, job.assignmentDeadlineMs];
  if (event.claimDeadlineSec !== undefined) bounds.push(event.claimDeadlineSec * 1000);
  must(job.deadlineMs < Math.min(...bounds), "the deadline is before each of its bounds");
}

function judgeSubmission(job: Job): void {
  must(job.commitment !== null && job.outputCid !== null, "nothing is submitted without a commitment and its CID");
  must(job.role === "verifier" || job.encryptedKey !== null, "no leader submits without the user's key");
}

/** All that a crash leaves. */
function reloaded(job: Job): Job {
  const read = readJob(job.schema, JSON.stringify(job));
  if (!read.ok) throw new Error(read.refusal.message);
  must(same(read.value, job), "a row is read as it was saved");
  return read.value;
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

describe("any life of a job", () => {
  it("keeps every promise at each step, whatever happens and in whatever order", { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(life, ([which, moves]) => new Life(which).make(moves)),
      LIVES,
    );
  });

  it("ends at its horizon when nothing more comes", { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(life, ([which, moves]) => {
        const lived = new Life(which);
        lived.make(moves);
        // The end of following may lie beyond the deadline, but nothing lies beyond that.
        lived.nowMs = horizonMs(lived.job) ?? lived.nowMs;
        lived.apply({ type: "tick" });
        expect(isFinal(lived.job)).toBe(true);
      }),
      LIVES,
    );
  });

  it("ends before its horizon when every effect that is due brings its result", { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(life, fc.record(BROUGHT), ([which, moves], brings) => {
        const lived = new Life(which);
        lived.make(moves);
        for (let turn = 0; turn < EFFECTS.length && !isFinal(lived.job); turn++) {
          const [first] = effectsOf(lived.job);
          if (first === undefined) throw new Error("a job that is not final waits for nothing");
          lived.nowMs = Math.max(lived.nowMs, first.notBeforeMs);
          lived.apply(brings[first.kind]);
        }
        expect(isFinal(lived.job)).toBe(true);
      }),
      LIVES,
    );
  });

  it("reaches every state, so that the promises above are promises about all of them", { timeout: TIMEOUT_MS }, () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(life, ([which, moves]) => {
        const lived = new Life(which);
        for (const next of moves) {
          lived.make([next]);
          seen.add(`${which} ${lived.job.state}`);
        }
      }),
      { ...LIVES, numRuns: 200 },
    );
    const leader = JOB_STATES.filter((state) => state !== "matched").map((state) => `leader ${state}`);
    const verifier = JOB_STATES.filter((state) => state !== "published" && state !== "granted").map(
      (state) => `verifier ${state}`,
    );
    expect([...seen].sort()).toEqual([...leader, ...verifier].sort());
  });
});
