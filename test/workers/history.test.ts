import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { newJob } from "../../core/jobs/job.ts";
import { step } from "../../core/jobs/machine.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "../../core/jobs/sample-offer.ts";
import { ensureSchema, writeEntries, writeJob } from "../../workers/adapters/history.ts";
import { MIGRATIONS } from "../../workers/adapters/migrations.generated.ts";

const T0 = SAMPLE_MS;

function job() {
  return newJob(SAMPLE_NODE, sampleOffer("leader"), T0);
}

/** A database whose isolate has not migrated it yet: the memo is by object. */
function fresh(): D1Database {
  const { DB } = env;
  return {
    prepare: (sql: string) => DB.prepare(sql),
    batch: (all: D1PreparedStatement[]) => DB.batch(all),
  } as D1Database;
}

async function rows(sql: string): Promise<Record<string, unknown>[]> {
  return (await env.DB.prepare(sql).all()).results;
}

beforeEach(async () => {
  await reset();
});

describe("the schema", () => {
  it("is brought up to date by the first who needs it", async () => {
    await ensureSchema(fresh());
    expect(await rows("SELECT name FROM d1_migrations")).toEqual(MIGRATIONS.map(({ name }) => ({ name })));
    expect(await rows("SELECT * FROM assignments")).toEqual([]);
  });

  it("is brought up to date once although many start at the same time", async () => {
    await Promise.all(Array.from({ length: 8 }, () => ensureSchema(fresh())));
    expect(await rows("SELECT name FROM d1_migrations")).toHaveLength(MIGRATIONS.length);
  });

  it("is tried again after D1 was away", async () => {
    const { DB } = env;
    let away = true;
    const flaky = {
      prepare: (sql: string) => {
        if (away) throw new Error("D1 is away");
        return DB.prepare(sql);
      },
      batch: (all: D1PreparedStatement[]) => DB.batch(all),
    } as D1Database;
    await expect(ensureSchema(flaky)).rejects.toThrow("D1 is away");
    away = false;
    await ensureSchema(flaky);
    expect(await rows("SELECT name FROM d1_migrations")).toHaveLength(MIGRATIONS.length);
  });
});

describe("a job's row", () => {
  it("is written again after the database was lost and made anew", async () => {
    const db = fresh();
    await writeJob(db, job(), T0);
    await reset();
    await expect(writeJob(db, job(), T0)).rejects.toThrow();
    await writeJob(db, job(), T0);
    expect(await rows("SELECT state FROM assignments")).toEqual([{ state: "offered" }]);
  });

  it("is written with its states as events, and written again without a trace", async () => {
    const offered = job();
    const claimed = step(
      offered,
      { type: "claimed", keyHandles: { high: "7", low: "9" }, outputKey: "v1.wrapped", sentAtMs: T0 },
      T0 + 500,
    ).job;
    await writeJob(fresh(), claimed, T0 + 600);
    await writeJob(fresh(), claimed, T0 + 700);
    expect(await rows("SELECT state, claimed_at, version FROM assignments")).toEqual([
      { state: "claimed", claimed_at: T0 + 500, version: 2 },
    ]);
    expect(await rows("SELECT type FROM events ORDER BY at")).toEqual([
      { type: "job.offered" },
      { type: "job.claimed" },
    ]);
  });

  it("is never overwritten by an older version that arrives late", async () => {
    const offered = job();
    const claimed = step(
      offered,
      { type: "claimed", keyHandles: { high: "7", low: "9" }, outputKey: null, sentAtMs: T0 },
      T0 + 500,
    ).job;
    await writeJob(fresh(), claimed, T0 + 600);
    await writeJob(fresh(), offered, T0 + 700);
    expect(await rows("SELECT state, version FROM assignments")).toEqual([{ state: "claimed", version: 2 }]);
  });

  it("never holds the wrapped output key", async () => {
    const claimed = step(
      job(),
      { type: "claimed", keyHandles: { high: "7", low: "9" }, outputKey: "v1.wrapped", sentAtMs: T0 },
      T0 + 500,
    ).job;
    await writeJob(fresh(), claimed, T0 + 600);
    expect(JSON.stringify([await rows("SELECT * FROM assignments"), await rows("SELECT * FROM events")])).not.toContain(
      "v1.wrapped",
    );
  });

  it("gets its reward from the payment service's row, in whatever order they come", async () => {
    const earning = {
      kind: "earning" as const,
      row: {
        node: job().node,
        jobId: "job-1",
        role: "leader",
        status: "COMPLETED",
        amountBlind: 0.6,
        completedAt: null,
        seenAt: T0,
      },
    };
    await writeJob(fresh(), job(), T0);
    await writeEntries(fresh(), [earning]);
    expect(await rows("SELECT reward_blind FROM assignments")).toEqual([{ reward_blind: "0.6" }]);
    await writeJob(fresh(), { ...job(), version: 5 }, T0 + 1);
    expect(await rows("SELECT reward_blind FROM assignments")).toEqual([{ reward_blind: "0.6" }]);
    await reset();
    await writeEntries(fresh(), [earning]);
    await writeJob(fresh(), job(), T0);
    expect(await rows("SELECT reward_blind FROM assignments")).toEqual([{ reward_blind: "0.6" }]);
  });

  it.each([
    [null, null],
    [3, "3"],
    [0.1234567, "0.1234567"],
  ])("has the reward %s as %s where the payment service was first", async (amountBlind, shown) => {
    const row = { node: job().node, jobId: job().jobId, role: "leader", status: "PENDING", amountBlind, seenAt: T0 };
    await writeEntries(fresh(), [{ kind: "earning", row }]);
    await writeJob(fresh(), job(), T0);
    expect(await rows("SELECT reward_blind FROM assignments")).toEqual([{ reward_blind: shown }]);
  });
});
