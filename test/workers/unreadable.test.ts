import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { JOB_SCHEMA, newJob } from "../../core/jobs/job.ts";
import { step } from "../../core/jobs/machine.ts";
import { sampleOffer } from "../../core/jobs/sample-offer.ts";
import { JobRow } from "../../workers/objects/assignment/job-row.ts";
import { wire } from "../../workers/wiring.ts";

const DAY_MS = 86_400_000;

let address: string;

beforeAll(async () => {
  Object.assign(env, await (await fetch(`${inject("rigUrl")}/settings`)).json());
  [address = ""] = wire(env).configured?.signers.keys() ?? [];
  await env.NODE.getByName(address).introduce(address);
});

/** An object that holds a row which this version cannot read, as after a deployment: a new instance. */
async function objectWith(name: string, change: string) {
  const stub = env.ASSIGNMENT.getByName(name);
  await runInDurableObject(stub, async (_object, { storage }) => {
    new JobRow(storage).insert(newJob(address, { ...sampleOffer("verifier", Date.now()), jobId: name }, Date.now()));
    storage.sql.exec(change);
  });
  await evictDurableObject(stub);
  await runInDurableObject(stub, (_object, { storage }) => storage.setAlarm(Date.now() + 60_000));
  const stored = () =>
    runInDurableObject(stub, async (_object, { storage }) => ({
      rows: storage.sql.exec("SELECT * FROM job").toArray(),
      alarm: await storage.getAlarm(),
    }));
  return { stub, stored };
}

const NEWER = `UPDATE job SET schema = ${JOB_SCHEMA + 1}`;
const DAMAGED = "UPDATE job SET json = substr(json, 1, 50)";

describe.each([
  ["newer", NEWER],
  ["damaged", DAMAGED],
] as const)("an object whose job is %s", (reason, change) => {
  it("lives on, leaves the row as it is, and says why in its snapshot", async () => {
    const { stub, stored } = await objectWith(`${reason}-left`, change);
    const before = await stored();
    await runDurableObjectAlarm(stub);
    await stub.offer(address, { ...sampleOffer("verifier", Date.now()), jobId: `${reason}-left` });
    expect(await stub.wake()).toBe("unreadable");
    expect(await stub.snapshot()).toMatchObject({ state: "unreadable", failure: { reason, code: `job-${reason}` } });
    expect((await stored()).rows).toEqual(before.rows);
  });
});

describe("a job that this version cannot read", () => {
  it("is looked at again in half a minute when a newer version saved it", async () => {
    const { stub, stored } = await objectWith("newer-again", NEWER);
    await runDurableObjectAlarm(stub);
    const inMs = ((await stored()).alarm ?? 0) - Date.now();
    expect(inMs).toBeGreaterThan(10_000);
    expect(inMs).toBeLessThanOrEqual(30_000);
  });

  it("costs nothing more when it is damaged", async () => {
    const { stub, stored } = await objectWith("damaged-rests", DAMAGED);
    await runDurableObjectAlarm(stub);
    expect((await stored()).alarm).toBeNull();
  });
});

/** An object whose job ended, `daysAgo`, without anybody's having been told, after its next alarm. */
async function objectAfterEnd(name: string, daysAgo: number) {
  const stub = env.ASSIGNMENT.getByName(name);
  const atMs = Date.now() - daysAgo * DAY_MS;
  const offered = newJob(address, { ...sampleOffer("verifier", atMs), jobId: name }, atMs);
  const over = step(offered, { type: "tick" }, offered.deadlineMs).job;
  await runInDurableObject(stub, (_object, { storage }) => new JobRow(storage).insert(over));
  await evictDurableObject(stub);
  await runInDurableObject(stub, (_object, { storage }) => storage.setAlarm(Date.now() + 60_000));
  await runDurableObjectAlarm(stub);
  const left = await runInDurableObject(stub, async (_object, { storage }) => ({
    tables: storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('job', 'answer')").toArray().length,
    alarm: await storage.getAlarm(),
  }));
  return { stub, left, endMs: over.times.failed ?? 0 };
}

describe("a job that is over and told", () => {
  it("keeps its record, and one alarm for the day on which that goes", async () => {
    const { stub, left, endMs } = await objectAfterEnd("lately-over", 1);
    expect(await stub.snapshot()).toMatchObject({ state: "failed" });
    expect(left).toEqual({ tables: 2, alarm: endMs + 7 * DAY_MS });
  });

  it("is deleted with all that its object stores when its days are over, and nothing is left armed", async () => {
    const { stub, left } = await objectAfterEnd("long-over", 8);
    expect(await stub.snapshot()).toBeNull();
    expect(left).toEqual({ tables: 0, alarm: null });
  });
});
