import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { JOB_SCHEMA, type Job, newJob } from "../../core/jobs/job.ts";
import { type JobEvent, step } from "../../core/jobs/machine.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "../../core/jobs/sample-offer.ts";
import { ensureSchema, type HistoryEntry, writeEntries, writeJob } from "../../workers/adapters/history.ts";
import { pruneHistory } from "../../workers/adapters/retention.ts";
import { JobRow } from "../../workers/objects/assignment/job-row.ts";
import { forgetTransactions } from "../../workers/objects/node/transaction-retention.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const NOW = SAMPLE_MS;
const OLD = NOW - 91 * DAY;
const YOUNG = NOW - 89 * DAY;
const TABLES = ["assignments", "events", "transactions", "certificates", "beats", "earnings"];

function jobOf(jobId: string, atMs: number): Job {
  return newJob(SAMPLE_NODE, { ...sampleOffer("leader", atMs), jobId }, atMs);
}

/** Failed for want of time. */
function finished(job: Job): Job {
  return step(job, { type: "tick" }, job.deadlineMs + 1).job;
}

function about(id: string, at: number): HistoryEntry[] {
  const node = SAMPLE_NODE;
  return [
    { kind: "event", row: { id, node, jobId: null, at, level: "info", type: "node.paused", fields: "{}" } },
    {
      kind: "certificate",
      row: { node, certHash: id, tier: 0, backend: "mock", issuedAt: at - DAY, expiresAt: at },
    },
    { kind: "beats", row: { node, hour: at - (at % HOUR), sent: 60, failed: 0, lastAt: at } },
    earning(id, at),
    transaction(id, "confirmed", at),
  ];
}

function earning(jobId: string, seenAt: number, status = "PAID"): HistoryEntry {
  const row = { node: SAMPLE_NODE, jobId, role: "leader", status, amountBlind: 0.6, completedAt: null, seenAt };
  return { kind: "earning", row };
}

function transaction(purpose: string, state: string, at: number): HistoryEntry {
  const row = { node: SAMPLE_NODE, purpose, destination: SAMPLE_NODE, state, createdAt: at, updatedAt: at };
  return { kind: "transaction", row };
}

async function rows(sql: string): Promise<Record<string, unknown>[]> {
  return (await env.DB.prepare(sql).all()).results;
}

async function counts(): Promise<Record<string, number>> {
  const found = await Promise.all(TABLES.map((table) => rows(`SELECT COUNT(*) AS n FROM ${table}`)));
  return Object.fromEntries(TABLES.map((table, index) => [table, Number(found[index]?.[0]?.n)]));
}

/** Calls until nothing is deleted any more; gives what each call deleted. */
async function pruneAll(batch: number): Promise<number[]> {
  const calls: number[] = [];
  for (;;) {
    const deleted = await pruneHistory(env.DB, NOW, 90, batch);
    if (deleted === 0) return calls;
    calls.push(deleted);
  }
}

beforeEach(async () => {
  await reset();
  // The memo of an up-to-date schema outlives the database that the last test left.
  await pruneHistory(env.DB, NOW, 90, 1).catch(() => 0);
  await ensureSchema(env.DB);
});

describe("the history", () => {
  it("loses what is older than its days in every table, and nothing younger", async () => {
    for (const [id, at] of [["old", OLD] as const, ["young", YOUNG] as const]) {
      await writeEntries(env.DB, about(id, at));
      await writeJob(env.DB, finished(jobOf(id, at)), at);
    }
    expect(await counts()).toEqual({
      assignments: 2,
      events: 6,
      transactions: 2,
      certificates: 2,
      beats: 2,
      earnings: 2,
    });
    expect(await pruneHistory(env.DB, NOW, 90, 1_000)).toBe(8);
    expect(await rows("SELECT job_id FROM assignments")).toEqual([{ job_id: "young" }]);
    expect(await rows("SELECT id FROM events WHERE job_id IS NULL")).toEqual([{ id: "young" }]);
    expect(await rows("SELECT purpose FROM transactions")).toEqual([{ purpose: "young" }]);
    expect(await rows("SELECT cert_hash FROM certificates")).toEqual([{ cert_hash: "young" }]);
    expect(await rows("SELECT job_id FROM earnings")).toEqual([{ job_id: "young" }]);
    expect(await rows("SELECT last_at FROM beats")).toEqual([{ last_at: YOUNG }]);
    expect(await pruneHistory(env.DB, NOW, 90, 1_000)).toBe(0);
  });

  it("keeps a job that is not finished, and all that happened to it, however old", async () => {
    await writeJob(env.DB, jobOf("open", OLD), OLD);
    await writeJob(env.DB, finished(jobOf("over", OLD)), OLD);
    expect(await pruneAll(1_000)).toEqual([3]);
    expect(await rows("SELECT job_id, state FROM assignments")).toEqual([{ job_id: "open", state: "offered" }]);
    expect(await rows("SELECT job_id FROM events")).toEqual([{ job_id: "open" }]);
  });

  it("keeps transactions that may still be mined, however old", async () => {
    const states = ["queued", "signed", "confirmed", "reverted", "failed", "cancelled"];
    await writeEntries(
      env.DB,
      states.map((state) => transaction(state, state, OLD)),
    );
    await pruneAll(1_000);
    expect(await rows("SELECT purpose FROM transactions ORDER BY purpose")).toEqual([
      { purpose: "queued" },
      { purpose: "signed" },
    ]);
  });

  it("goes a few rows at a time, and gets there", async () => {
    for (let index = 0; index < 25; index++) await writeJob(env.DB, finished(jobOf(`job-${index}`, OLD + index)), OLD);
    const calls = await pruneAll(10);
    // A job is a row and two events.
    expect(calls.reduce((sum, deleted) => sum + deleted)).toBe(75);
    expect(Math.max(...calls)).toBe(10);
    expect(await counts()).toMatchObject({ assignments: 0, events: 0 });
  });

  it("is read no further than it may be deleted: the cost of a call does not grow with the history", async () => {
    const beats = Array.from({ length: 400 }, (_, index) => about(`${index}`, YOUNG + index * HOUR)[2]);
    await writeEntries(env.DB, beats as HistoryEntry[]);
    let read = 0;
    const watched = {
      prepare: (sql: string) => {
        const statement = env.DB.prepare(sql);
        return {
          bind: (...values: unknown[]) => ({
            run: async () => {
              const result = await statement.bind(...values).run();
              read += result.meta.rows_read;
              return result;
            },
            first: () => statement.bind(...values).first(),
          }),
          run: () => statement.run(),
        };
      },
    } as unknown as D1Database;
    expect(await pruneHistory(watched, NOW, 90, 20)).toBe(0);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(100);
  });
});

describe("what was earned", () => {
  it("grows old although the service goes on listing it", async () => {
    await writeEntries(env.DB, [earning("job-1", OLD)]);
    await writeEntries(env.DB, [earning("job-1", NOW)]);
    expect(await pruneHistory(env.DB, NOW, 90, 10)).toBe(1);
  });

  it("is young again when it changes", async () => {
    await writeEntries(env.DB, [earning("job-1", OLD, "PENDING")]);
    await writeEntries(env.DB, [earning("job-1", NOW)]);
    expect(await rows("SELECT status, seen_at FROM earnings")).toEqual([{ status: "PAID", seen_at: NOW }]);
    expect(await pruneHistory(env.DB, NOW, 90, 10)).toBe(0);
  });
});

/** A row store on an object's own SQLite. */
function withRow<T>(name: string, work: (row: JobRow, storage: DurableObjectStorage) => T | Promise<T>): Promise<T> {
  return runInDurableObject(env.ASSIGNMENT.getByName(name), (_object, { storage }) =>
    work(new JobRow(storage), storage),
  );
}

function tablesOf({ sql }: DurableObjectStorage): unknown[] {
  return sql
    .exec("SELECT name FROM sqlite_master WHERE name IN ('job', 'answer')")
    .toArray()
    .map(({ name }) => name);
}

const CLAIMED: JobEvent = {
  type: "claimed",
  keyHandles: { high: "7", low: "9" },
  outputKey: "v1.wrapped",
  sentAtMs: NOW,
};

describe("a job's row", () => {
  it("is not made by asking for a job that nobody has", async () => {
    await withRow("row-absent", (row, storage) => {
      expect(row.load()).toBeNull();
      expect(row.read()).toEqual({ ok: true, value: null });
      expect(row.reportedState()).toBeNull();
      expect(row.projectedVersion()).toBe(0);
      expect(row.loadSealed()).toBeNull();
      row.forgetAnswer();
      expect(tablesOf(storage)).toEqual([]);
    });
  });

  it("of a newer schema is told apart, never written, and read again by the version that wrote it", async () => {
    await withRow("row-newer", (row, { sql }) => {
      const job = jobOf("job-1", NOW);
      row.insert(job);
      sql.exec("UPDATE job SET schema = ?", JOB_SCHEMA + 1);
      const before = sql.exec("SELECT * FROM job").toArray();
      expect(row.read()).toMatchObject({ ok: false, refusal: { reason: "newer", code: "job-newer" } });
      expect(row.load()).toBeNull();
      row.insert(job);
      expect(row.save(step(job, CLAIMED, NOW).job, job.version)).toBe(false);
      expect(sql.exec("SELECT * FROM job").toArray()).toEqual(before);
      sql.exec("UPDATE job SET schema = ?", JOB_SCHEMA);
      expect(row.load()).toEqual(job);
    });
  });

  it("that is damaged is told apart, and its bytes stay for whoever looks into it", async () => {
    await withRow("row-damaged", (row, { sql }) => {
      row.insert(jobOf("job-1", NOW));
      sql.exec("UPDATE job SET json = substr(json, 1, 40)");
      expect(row.read()).toMatchObject({ ok: false, refusal: { reason: "damaged", code: "job-damaged" } });
      expect(row.load()).toBeNull();
      row.insert(jobOf("job-1", NOW));
      expect(sql.exec<{ json: string }>("SELECT json FROM job").one().json).toHaveLength(40);
    });
  });
});

describe("what is left of a finished job", () => {
  const keep = { jobRecordDays: 7, sealedAnswerHours: 0 };
  const over = finished(jobOf("job-1", NOW));
  const endMs = over.times.failed ?? 0;

  function store(row: JobRow): void {
    row.insert(over);
    row.saveSealed(new Uint8Array([1, 2, 3]));
  }

  it("keeps no answer by default, and its record for seven days", async () => {
    await withRow("tidy-default", async (row) => {
      store(row);
      expect(await row.tidy(keep, endMs)).toBe(endMs + 7 * DAY);
      expect(row.loadSealed()).toBeNull();
      expect(row.load()).toEqual(over);
      expect(await row.tidy(keep, endMs + 7 * DAY - 1)).toBe(endMs + 7 * DAY);
      expect(row.load()).toEqual(over);
    });
  });

  it("keeps the sealed answer as long as the operator wants it", async () => {
    await withRow("tidy-answer", async (row) => {
      store(row);
      const hours = { ...keep, sealedAnswerHours: 2 };
      expect(await row.tidy(hours, endMs)).toBe(endMs + 2 * HOUR);
      expect(row.loadSealed()).toEqual(new Uint8Array([1, 2, 3]));
      expect(await row.tidy(hours, endMs + 2 * HOUR)).toBe(endMs + 7 * DAY);
      expect(row.loadSealed()).toBeNull();
    });
  });

  it("is nothing at all afterwards: no table, no alarm, and the object goes on working", async () => {
    await withRow("tidy-gone", async (row, storage) => {
      store(row);
      await storage.setAlarm(Date.now() + DAY);
      expect(await row.tidy(keep, endMs + 7 * DAY)).toBeNull();
      expect(tablesOf(storage)).toEqual([]);
      expect(await storage.getAlarm()).toBeNull();
      expect(row.load()).toBeNull();
      expect(row.save(over, over.version)).toBe(false);
      row.setReportedState("failed");
      row.setProjectedVersion(3);
      expect(await row.tidy(keep, endMs + 8 * DAY)).toBeNull();
      row.insert(jobOf("job-1", NOW));
      expect(row.load()?.state).toBe("offered");
    });
  });

  it("is left alone while the job is not over", async () => {
    await withRow("tidy-open", async (row) => {
      const open = jobOf("job-1", NOW);
      row.insert(open);
      row.saveSealed(new Uint8Array([1]));
      expect(await row.tidy(keep, NOW + 365 * DAY)).toBeNull();
      expect(row.load()).toEqual(open);
      expect(row.loadSealed()).not.toBeNull();
    });
  });
});

describe("the Node object's transactions", () => {
  /** The queue's and the index's tables are the object's own. */
  function withTables<T>(name: string, work: (sql: SqlStorage) => T): Promise<T> {
    return runInDurableObject(env.NODE.getByName(name), (_object, { storage: { sql } }) => {
      sql.exec(`CREATE TABLE IF NOT EXISTS transactions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, purpose TEXT UNIQUE NOT NULL, job_id TEXT, destination TEXT NOT NULL,
        data TEXT NOT NULL, value TEXT NOT NULL, state TEXT NOT NULL, nonce INTEGER, raw TEXT, hash TEXT,
        gas_used TEXT, fee_wei TEXT, error TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`);
      return work(sql);
    });
  }

  function put(sql: SqlStorage, purpose: string, state: string, atMs: number, jobId: string | null = null): void {
    sql.exec(
      `INSERT INTO transactions (purpose, job_id, destination, data, value, state, created_at, updated_at)
       VALUES (?, ?, '0x', '0x', '0', ?, ?, ?)`,
      purpose,
      jobId,
      state,
      atMs,
      atMs,
    );
  }

  function index(sql: SqlStorage, jobId: string): void {
    sql.exec(
      "INSERT INTO jobs (job_id, role, model_id, state, handed, open, at) VALUES (?, 'leader', 'm', 'settled', 1, 0, 0)",
      jobId,
    );
  }

  function purposes(sql: SqlStorage): unknown[] {
    return sql
      .exec("SELECT purpose FROM transactions ORDER BY seq")
      .toArray()
      .map(({ purpose }) => purpose);
  }

  it("are forgotten once finished and old, unless the index still knows their job", async () => {
    await withTables("tx-retention", (sql) => {
      index(sql, "known");
      put(sql, "output-key:known", "confirmed", OLD, "known");
      put(sql, "output-key:gone", "confirmed", OLD, "gone");
      put(sql, "heartbeat:1", "reverted", OLD);
      put(sql, "heartbeat:2", "signed", OLD);
      put(sql, "heartbeat:3", "queued", OLD);
      put(sql, "heartbeat:4", "confirmed", YOUNG);
      expect(forgetTransactions(sql, NOW, 90, 100)).toBe(2);
      expect(purposes(sql)).toEqual(["output-key:known", "heartbeat:2", "heartbeat:3", "heartbeat:4"]);
    });
  });

  it("stay a week, however short the history", async () => {
    await withTables("tx-week", (sql) => {
      put(sql, "six-days", "confirmed", NOW - 6 * DAY);
      expect(forgetTransactions(sql, NOW, 1, 100)).toBe(0);
      expect(forgetTransactions(sql, NOW + 2 * DAY, 1, 100)).toBe(1);
    });
  });

  it("go a few at a time", async () => {
    await withTables("tx-few", (sql) => {
      for (let number = 0; number < 10; number++) put(sql, `heartbeat:${number}`, "confirmed", OLD);
      expect(forgetTransactions(sql, NOW, 90, 4)).toBe(4);
      expect(purposes(sql)).toHaveLength(6);
    });
  });
});
