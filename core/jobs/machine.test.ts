import { describe, expect, it } from "vitest";
import type { Failure } from "../errors.ts";
import type { Role } from "../icl/schema.ts";
import { isFinal, JOB_STATES, type Job, type JobState, newJob, OUTCOMES } from "./job.ts";
import { CLAIM_WINDOW_MS, effectsOf, horizonMs, type JobEvent, step } from "./machine.ts";
import { MAX_ATTEMPTS, SUBMIT_MARGIN_MS } from "./policy.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "./sample-offer.ts";

const T0 = SAMPLE_MS;
const HASH = "ab".repeat(32);
const INPUT = { ctHash: "1", securityZone: 0, utype: 6, signature: "0x00" };

function offered(role: Role): Job {
  return newJob(SAMPLE_NODE, sampleOffer(role), T0);
}

const EVENTS = {
  "claim-sent": { type: "claim-sent" },
  claimed: {
    type: "claimed",
    keyHandles: { high: "7", low: "9" },
    outputKey: "v1.wrapped",
    claimDeadlineSec: T0 / 1000 + 300,
    sentAtMs: T0,
  },
  executed: { type: "executed", answerDigest: HASH, timingsMs: { infer: 1 } },
  "key-encrypted": { type: "key-encrypted", encryptedKey: { high: INPUT, low: INPUT } },
  "leader-found": { type: "leader-found", outputCid: "bafk", leaderCommitment: HASH },
  pinned: { type: "pinned", outputCid: "bafk" },
  committed: { type: "committed", commitment: HASH, verdict: null },
  granted: { type: "granted", tx: "0x01" },
  submitted: { type: "submitted" },
  finalized: { type: "finalized", outcome: "accepted" },
  tick: { type: "tick" },
} as const satisfies Record<string, JobEvent>;
type EventName = keyof typeof EVENTS;

const PATHS: Record<Role, EventName[]> = {
  leader: ["claimed", "executed", "key-encrypted", "pinned", "committed", "granted", "submitted", "finalized"],
  verifier: ["claimed", "executed", "leader-found", "committed", "submitted", "finalized"],
};

function walk(role: Role, events: readonly JobEvent[], nowMs = T0 + 1000): Job {
  return events.reduce((job, event) => step(job, event, nowMs).job, offered(role));
}

/** The job as it stands on first entering `state` by the role's happy path. */
function at(role: Role, state: JobState): Job {
  let job = offered(role);
  for (const name of PATHS[role]) {
    if (job.state === state) return job;
    job = step(job, EVENTS[name], T0 + 1000).job;
  }
  if (job.state !== state) throw new Error(`${role} never enters ${state}`);
  return job;
}

const fails = (retry: "never" | "later", retryAfterMs?: number): Failure => ({
  code: "icl-unreachable",
  message: "connection refused",
  hint: "check the network",
  retry,
  admitted: "unknown",
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});

describe("a job's way", () => {
  it.each([
    ["leader", ["claimed", "answered", "answered", "answered", "published", "granted", "submitted", "settled"]],
    ["verifier", ["claimed", "answered", "answered", "matched", "submitted", "settled"]],
  ] as const)("takes a %s from offer to settlement in the order of the table", (role, states) => {
    let job = offered(role);
    const seen: JobState[] = [];
    for (const name of PATHS[role]) {
      job = step(job, EVENTS[name], T0 + 1000).job;
      seen.push(job.state);
    }
    expect(seen).toEqual(states);
    expect(job.outcome).toBe("accepted");
  });

  it("lets a verifier find the leader before or after its own answer", () => {
    const before = walk("verifier", [EVENTS.claimed, EVENTS["leader-found"], EVENTS.executed]);
    const after = walk("verifier", [EVENTS.claimed, EVENTS.executed, EVENTS["leader-found"]]);
    expect(effectsOf(before).map((effect) => effect.kind)).toEqual(["commit"]);
    expect(effectsOf(after).map((effect) => effect.kind)).toEqual(["commit"]);
  });

  it("lets a leader's output key be encrypted at any time before the grant", () => {
    const order: JobEvent[] = [EVENTS.claimed, EVENTS.executed, EVENTS.pinned, EVENTS.committed];
    for (let place = 1; place <= order.length; place++) {
      const job = walk("leader", order.toSpliced(place, 0, EVENTS["key-encrypted"]));
      expect(effectsOf(job).map((effect) => effect.kind)).toEqual(["grant"]);
    }
  });

  it.each([
    ["leader", "offered", ["claim"]],
    ["leader", "claimed", ["execute", "encrypt-key"]],
    ["leader", "answered", ["pin", "encrypt-key"]],
    ["leader", "published", ["grant"]],
    ["leader", "granted", ["submit"]],
    ["leader", "submitted", ["follow"]],
    ["leader", "settled", []],
    ["verifier", "offered", ["claim"]],
    ["verifier", "claimed", ["execute", "find-leader"]],
    ["verifier", "answered", ["find-leader"]],
    ["verifier", "matched", ["submit"]],
    ["verifier", "submitted", ["follow"]],
  ] as const)("asks a %s in %s for %j", (role, state, kinds) => {
    expect(effectsOf(at(role, state)).map((effect) => effect.kind)).toEqual(kinds);
  });
});

describe("every state and every event", () => {
  const order = (state: JobState) => JOB_STATES.indexOf(state);
  const rows = (["leader", "verifier"] as const).flatMap((role) => {
    const states = new Set<JobState>();
    for (let count = 0; count <= PATHS[role].length; count++) {
      states.add(
        walk(
          role,
          PATHS[role].slice(0, count).map((name) => EVENTS[name]),
        ).state,
      );
    }
    return [...states].flatMap((state) => (Object.keys(EVENTS) as EventName[]).map((name) => ({ role, state, name })));
  });

  it.each(rows)(
    "$role in $state never goes back on $name, and a repeat changes nothing more",
    ({ role, state, name }) => {
      const job = at(role, state);
      const once = step(job, EVENTS[name], T0 + 2000).job;
      expect(order(once.state)).toBeGreaterThanOrEqual(order(job.state));
      expect(once.version - job.version).toBe(once === job ? 0 : 1);
      if (isFinal(job)) expect(once).toBe(job);
      expect(step(once, EVENTS[name], T0 + 2000).job).toBe(once);
    },
  );
});

describe("deadlines", () => {
  it.each([
    ["the claim's own", { claimDeadlineSec: T0 / 1000 + 120 }, T0 + 120_000],
    ["300 s after the claim was sent when none is named", {}, T0 + CLAIM_WINDOW_MS],
    ["300 s after the claim was sent when a later one is named", { claimDeadlineSec: T0 / 1000 + 900 }, T0 + 300_000],
  ])("are %s, less the margin", (_name, named, expected) => {
    const { claimDeadlineSec: _dropped, ...claimed } = EVENTS.claimed;
    const job = step(offered("leader"), { ...claimed, ...named }, T0).job;
    expect(job.deadlineMs).toBe(expected - SUBMIT_MARGIN_MS);
  });

  it("never exceed the assignment's", () => {
    const late = { ...offered("leader"), assignmentDeadlineMs: T0 + 60_000 };
    expect(step(late, EVENTS.claimed, T0).job.deadlineMs).toBe(T0 + 60_000 - SUBMIT_MARGIN_MS);
  });

  it.each(["claimed", "answered", "published", "granted"] as const)("fail a leader that is still %s", (state) => {
    const job = at("leader", state);
    const expired = step(job, { type: "tick" }, job.deadlineMs).job;
    expect(expired).toMatchObject({ state: "failed", failure: { code: "deadline", in: state } });
    expect(step(job, { type: "tick" }, job.deadlineMs - 1).job).toBe(job);
  });

  it("fail a verifier with leader-absent when all it lacked was the leader", () => {
    const job = at("verifier", "answered");
    expect(step(job, { type: "tick" }, job.deadlineMs).job.failure?.code).toBe("leader-absent");
  });

  it("name the last error of the step that used the time up", () => {
    const job = at("verifier", "answered");
    const failed = step(job, { type: "effect-failed", effect: "find-leader", failure: fails("later") }, T0 + 2000).job;
    const expired = step(failed, { type: "tick" }, job.deadlineMs).job;
    expect(expired.failure).toMatchObject({ code: "deadline", hint: "check the network" });
    expect(expired.failure?.message).toContain("icl-unreachable");
  });

  it("settle a submitted job as unknown, so that following it always ends", () => {
    const job = at("leader", "submitted");
    const end = horizonMs(job) ?? 0;
    expect(end).toBeGreaterThanOrEqual(job.assignmentDeadlineMs);
    expect(step(job, { type: "tick" }, end).job).toMatchObject({ state: "settled", outcome: "unknown" });
  });

  it("of a submission that arrived just in time do not undo it", () => {
    const job = at("leader", "granted");
    expect(step(job, EVENTS.submitted, job.deadlineMs + 1).job.state).toBe("submitted");
  });
});

describe("failures", () => {
  it("that can never succeed fail the job at once with their code and hint", () => {
    const job = at("leader", "claimed");
    const failed = step(job, { type: "effect-failed", effect: "execute", failure: fails("never") }, T0 + 2000).job;
    expect(failed).toMatchObject({
      state: "failed",
      failure: { code: "icl-unreachable", hint: "check the network", in: "claimed" },
    });
  });

  it("that may pass are retried with a growing delay, and the delay the other side asks for", () => {
    let job = at("leader", "answered");
    const delays: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      job = step(job, { type: "effect-failed", effect: "pin", failure: fails("later") }, T0 + 2000).job;
      delays.push((job.work.pin?.notBeforeMs ?? 0) - (T0 + 2000));
    }
    expect(delays).toEqual([500, 1000, 2000, 4000]);
    job = step(job, { type: "effect-failed", effect: "pin", failure: fails("later", 30_000) }, T0 + 2000).job;
    expect(job.work.pin?.notBeforeMs).toBe(T0 + 32_000);
  });

  it("whose next try would come after the deadline end the job now", () => {
    const job = at("leader", "answered");
    const failed = step(job, { type: "effect-failed", effect: "pin", failure: fails("later", 900_000) }, T0 + 2000).job;
    expect(failed).toMatchObject({ state: "failed", failure: { code: "deadline" } });
  });

  it("are bounded in number however far the deadline is", () => {
    let job: Job = { ...at("leader", "answered"), deadlineMs: Number.MAX_SAFE_INTEGER };
    let tries = 0;
    for (; !isFinal(job) && tries < 1000; tries++) {
      job = step(job, { type: "effect-failed", effect: "pin", failure: fails("later") }, T0 + 2000).job;
    }
    expect(tries).toBe(MAX_ATTEMPTS);
  });

  it("of an effect that the state no longer asks for change nothing", () => {
    const job = at("leader", "published");
    expect(step(job, { type: "effect-failed", effect: "pin", failure: fails("never") }, T0 + 2000).job).toBe(job);
  });

  it("while following never fail a submitted job", () => {
    let job = at("verifier", "submitted");
    for (let attempt = 0; attempt < 200; attempt++) {
      job = step(job, { type: "effect-failed", effect: "follow", failure: fails("later") }, T0 + 2000).job;
    }
    expect(job.state).toBe("submitted");
  });

  it.each([
    { high: "0", low: "9" },
    { high: "7", low: "0" },
    { high: "0", low: "0" },
  ])("of a claim without a key (%j) are named", (keyHandles) => {
    const job = step(offered("leader"), { ...EVENTS.claimed, keyHandles }, T0).job;
    expect(job).toMatchObject({
      state: "failed",
      claimSentAtMs: T0,
      failure: { code: "key-unavailable", in: "offered" },
    });
  });
});

describe("a new job", () => {
  it("ends within a day, however far off the assignment's deadline is", () => {
    const offer = { ...sampleOffer("verifier"), deadline: T0 / 1000 + 1e9 };
    expect(newJob(SAMPLE_NODE, offer, T0).assignmentDeadlineMs).toBe(T0 + 24 * 3_600_000);
  });

  it("holds the offer's handles, for a claim whose answer is lost, unless one of them is no key", () => {
    const offer = { ...sampleOffer("verifier"), kpHighHandle: 2n ** 256n - 1n, kpLowHandle: 9n };
    expect(newJob(SAMPLE_NODE, offer, T0).offeredHandles).toEqual({ high: String(2n ** 256n - 1n), low: "9" });
    expect(newJob(SAMPLE_NODE, { ...offer, kpLowHandle: 0n }, T0).offeredHandles).toBeNull();
  });
});

describe("the end of a job", () => {
  it.each(OUTCOMES)("keeps the outcome %s and drops the wrapped key", (outcome) => {
    const job = step(at("leader", "submitted"), { type: "finalized", outcome }, T0 + 3000).job;
    expect(job).toMatchObject({ state: "settled", outcome, outputKey: null, work: {} });
  });

  it("may come before our own word, when the others already agreed", () => {
    const job = step(at("verifier", "matched"), EVENTS.finalized, T0 + 3000).job;
    expect(job).toMatchObject({ state: "settled", outcome: "accepted" });
  });
});
