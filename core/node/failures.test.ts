import { describe, expect, it } from "vitest";
import {
  acceptFailures,
  countJob,
  type FailureCount,
  failuresInARow,
  mustPause,
  NO_FAILURES,
  oneAtATime,
  type Standing,
  standingOf,
} from "./failures.ts";

const T0 = 1_800_000_000_000;
const failure = { code: "deadline", message: "", hint: "", in: "claimed" } as const;
const job = {
  state: "settled",
  times: { submitted: T0 },
  claimSentAtMs: T0,
  failure: null,
  outcome: null,
  role: "leader",
  verdict: null,
} as const;

function count(standings: readonly Standing[], from: FailureCount = NO_FAILURES): FailureCount {
  return standings.reduce(
    (so, standing, index) => countJob(so, standing, { jobId: `job-${index}`, code: "deadline" }, T0 + index),
    from,
  );
}

describe("what a job's end says of this node", () => {
  it.each<[string, Partial<Parameters<typeof standingOf>[0]>, Standing]>([
    ["failed after its claim", { state: "failed", failure }, "failure"],
    ["failed before its claim", { state: "failed", failure, claimSentAtMs: null }, "neutral"],
    ["was refused at its claim", { state: "failed", failure: { ...failure, code: "claim-refused" } }, "neutral"],
    ["lost the answer to its claim", { state: "failed", failure: { ...failure, code: "claim-lost" } }, "failure"],
    ["was led and accepted", { outcome: "accepted" }, "success"],
    ["was led and rejected", { outcome: "rejected" }, "failure"],
    ["was confirmed and accepted", { role: "verifier", verdict: "CONFIRM", outcome: "accepted" }, "success"],
    ["was rejected by us and accepted", { role: "verifier", verdict: "REJECT", outcome: "accepted" }, "failure"],
    ["was confirmed and rejected", { role: "verifier", verdict: "CONFIRM", outcome: "rejected" }, "failure"],
    ["was rejected by us and rejected", { role: "verifier", verdict: "REJECT", outcome: "rejected" }, "success"],
    ["was accepted before our word was taken", { outcome: "accepted", times: {} }, "neutral"],
    ["was rejected before our word was taken", { outcome: "rejected", times: {} }, "failure"],
    ["was disputed", { outcome: "disputed" }, "neutral"],
    ["timed out after we delivered", { outcome: "timedout" }, "neutral"],
    ["never got a word from the coordinator", { outcome: "unknown" }, "neutral"],
    ["is not over", { state: "submitted" }, "neutral"],
  ])("a job that %s", (_what, given, standing) => {
    expect(standingOf({ ...job, ...given })).toBe(standing);
  });
});

describe("the count of failures in a row", () => {
  it("rises with failures, is not touched by neutral ends, and is gone after a success", () => {
    expect(count(["failure", "neutral", "failure"]).inARow).toBe(2);
    expect(count(["failure", "failure", "success"]).inARow).toBe(0);
  });

  it("keeps the latest ten failures, newest first, also after a success", () => {
    const { recent } = count([...Array.from({ length: 12 }, () => "failure" as const), "success"]);
    expect(recent.map(({ jobId }) => jobId)).toEqual(Array.from({ length: 10 }, (_, index) => `job-${11 - index}`));
  });

  it("is the chain's where that is higher and was read after the last change", () => {
    const one = count(["failure"]);
    expect(failuresInARow(one, { consecutiveFailures: 2, atMs: T0 + 1 })).toBe(2);
    expect(failuresInARow(one, { consecutiveFailures: 0, atMs: T0 + 1 })).toBe(1);
    expect(failuresInARow(one, { consecutiveFailures: 2, atMs: T0 - 1 })).toBe(1);
    expect(failuresInARow(one, null)).toBe(1);
  });
});

describe("what follows from it", () => {
  it.each([
    [0, false, false],
    [1, false, true],
    [2, true, true],
    [3, true, true],
  ])("%i in a row: paused %s, one at a time %s", (inARow, paused, single) => {
    expect(mustPause(NO_FAILURES, inARow)).toBe(paused);
    expect(oneAtATime(inARow)).toBe(single);
  });

  it("after the operator's resume, only one more failure pauses again", () => {
    const resumed = acceptFailures(count(["failure", "failure"]), 2);
    expect(mustPause(resumed, resumed.inARow)).toBe(false);
    expect(oneAtATime(resumed.inARow)).toBe(true);
    const again = count(["failure"], resumed);
    expect(mustPause(again, again.inARow)).toBe(true);
  });

  it("after a success, what the operator accepted is forgotten", () => {
    const resumed = acceptFailures(count(["failure", "failure"]), 2);
    const later = count(["success", "failure", "failure"], resumed);
    expect(mustPause(later, later.inARow)).toBe(true);
  });
});
