import { describe, expect, it } from "vitest";
import { JOB_SCHEMA, type Job, newJob } from "./job.ts";
import { type JobEvent, step } from "./machine.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "./sample-offer.ts";
import { readJob, upgradeJob } from "./upgrade.ts";
import { UPGRADES, type Upgrade } from "./upgrades.ts";

const T0 = SAMPLE_MS;
const INPUT = { ctHash: "1".repeat(78), securityZone: 0, utype: 6, signature: "0xab" };

/** A leader's life up to its verdict, with a failure and a wait on the way. */
const EVENTS: readonly JobEvent[] = [
  { type: "claim-sent" },
  {
    type: "effect-failed",
    effect: "claim",
    failure: { code: "icl-unreachable", message: "away", hint: "wait", retry: "later", admitted: "unknown" },
  },
  { type: "claimed", keyHandles: { high: "7", low: "9" }, outputKey: "v1.wrapped", sentAtMs: T0 },
  { type: "executed", answerDigest: "ab".repeat(32), timingsMs: { infer: 12 } },
  { type: "key-encrypted", encryptedKey: { high: INPUT, low: INPUT } },
  { type: "pinned", outputCid: "bafkreia" },
  { type: "committed", commitment: "cd".repeat(32), verdict: null },
  { type: "wait", effect: "grant" },
  { type: "granted", tx: "0xaa" },
  { type: "submitted" },
  { type: "finalized", outcome: "accepted" },
];

function offered(): Job {
  return newJob(SAMPLE_NODE, sampleOffer("leader"), T0);
}

/** The job after each of the events, the first one included. */
function life(): Job[] {
  const jobs = [offered()];
  for (const [index, event] of EVENTS.entries()) jobs.push(step(jobs.at(-1) as Job, event, T0 + index).job);
  return jobs;
}

function failedJob(): Job {
  return step(offered(), { type: "tick" }, T0 + 3_600_000).job;
}

function raw(job: Job = offered()): Record<string, unknown> {
  return JSON.parse(JSON.stringify(job)) as Record<string, unknown>;
}

/** Two versions on: `promptCid` was called `cid` in schema 1, and `insuranceOptIn` came with schema 3. */
const STEPS: readonly Upgrade[] = [
  ({ cid, ...row }) => ({ ...row, promptCid: cid }),
  (row) => ({ ...row, insuranceOptIn: true }),
];

describe("a row of this version's schema", () => {
  it("is read back as it was saved, whatever became of the job", () => {
    const jobs = [...life(), failedJob()];
    expect(jobs.at(-2)?.state).toBe("settled");
    expect(jobs.at(-1)?.state).toBe("failed");
    for (const job of jobs) expect(readJob(JOB_SCHEMA, JSON.stringify(job))).toEqual({ ok: true, value: job });
  });

  it("keeps a field that this version does not know", () => {
    expect(upgradeJob(JOB_SCHEMA, { ...raw(), later: { note: 1 } })).toMatchObject({
      ok: true,
      value: { later: { note: 1 } },
    });
  });
});

describe("a row of an older schema", () => {
  const { promptCid, insuranceOptIn: _absent, ...rest } = raw();

  it("is brought up step by step, as the same version of the job", () => {
    const job = upgradeJob(1, { ...rest, cid: promptCid, version: 7 }, STEPS);
    expect(job).toEqual({ ok: true, value: { ...offered(), insuranceOptIn: true, version: 7 } });
  });

  it("starts at its own step, not at the first", () => {
    const job = upgradeJob(2, { ...rest, promptCid, cid: "not this one" }, STEPS);
    expect(job).toMatchObject({ ok: true, value: { promptCid, insuranceOptIn: true } });
  });

  it("is damaged when a step cannot work on it, and the object lives on", () => {
    const failing: Upgrade = () => {
      throw new Error("PRIVATE WORDS OF THE ROW");
    };
    const read = upgradeJob(1, raw(), [failing]);
    expect(read).toMatchObject({ ok: false, refusal: { reason: "damaged", code: "job-damaged" } });
    expect(JSON.stringify(read)).not.toContain("PRIVATE");
  });
});

describe("a row of a newer schema", () => {
  it.each([1, 2, 40])("is left alone, %i ahead, with both schemas named and the way out", (ahead) => {
    expect(upgradeJob(JOB_SCHEMA + ahead, { anything: true })).toEqual({
      ok: false,
      refusal: {
        reason: "newer",
        code: "job-newer",
        message: expect.stringContaining(`schema ${JOB_SCHEMA + ahead}`),
        hint: expect.stringContaining("Deploy the newer version again"),
      },
    });
  });

  it("is not even taken apart", () => {
    expect(readJob(JOB_SCHEMA + 1, "not JSON")).toMatchObject({ ok: false, refusal: { reason: "newer" } });
  });
});

describe("a damaged row", () => {
  it.each([
    ["half a row", JSON.stringify(offered()).slice(0, 80)],
    ["nothing", ""],
    ["null", "null"],
    ["a list", "[]"],
    ["a word", '"job"'],
    ["an empty object", "{}"],
  ])("is refused, not thrown: %s", (_name, json) => {
    expect(readJob(JOB_SCHEMA, json)).toMatchObject({ ok: false, refusal: { reason: "damaged", code: "job-damaged" } });
  });

  it.each([0, -1, 1.5, Number.NaN])("is one whose schema is %d", (schema) => {
    expect(upgradeJob(schema, raw())).toMatchObject({ ok: false, refusal: { reason: "damaged" } });
  });

  it.each(Object.keys(raw()).filter((field) => field !== "schema"))("is one without its %s, and says so", (field) => {
    const { [field]: _gone, ...rest } = raw();
    expect(upgradeJob(JOB_SCHEMA, rest)).toMatchObject({
      ok: false,
      refusal: { reason: "damaged", message: expect.stringContaining(field) },
    });
  });

  it.each([
    ["state", "dreaming"],
    ["role", "judge"],
    ["version", 0],
    ["deadlineMs", "soon"],
    ["keyHandles", { high: "1" }],
    ["encryptedKey", { high: INPUT }],
    ["work", { claim: { attempts: "many" } }],
    ["work", { dance: { attempts: 1, waits: 0, notBeforeMs: 0 } }],
    ["failure", { code: "deadline" }],
  ])("is one whose %s is %j", (field, value) => {
    expect(upgradeJob(JOB_SCHEMA, { ...raw(), [field]: value })).toMatchObject({
      ok: false,
      refusal: { reason: "damaged", message: expect.stringContaining(field) },
    });
  });

  it("is never quoted: a row holds a wrapped key", () => {
    const half = JSON.stringify({ ...offered(), outputKey: "v1.wrapped-key" }).slice(0, -2);
    const wrong = JSON.stringify({ ...offered(), outputKey: "v1.wrapped-key", state: "v1.wrapped-key" });
    for (const json of [half, wrong]) expect(JSON.stringify(readJob(JOB_SCHEMA, json))).not.toContain("wrapped-key");
  });
});

describe("schema 2", () => {
  const { claimSentAtMs: _when, offeredHandles: _offered, ...rest } = raw();

  it.each([
    [false, null],
    [true, T0],
  ])("knows when a claim was sent: %j becomes %j", (claimSent, claimSentAtMs) => {
    expect(upgradeJob(1, { ...rest, schema: 1, claimSent })).toEqual({
      ok: true,
      value: { ...offered(), claimSentAtMs, offeredHandles: null },
    });
  });

  it("makes nothing of a row that does not say", () => {
    expect(upgradeJob(1, rest)).toMatchObject({ ok: false, refusal: { reason: "damaged" } });
  });
});

describe("the steps", () => {
  it("lead from the first schema to this version's, one each", () => {
    expect(UPGRADES).toHaveLength(JOB_SCHEMA - 1);
  });
});
