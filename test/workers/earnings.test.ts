import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { getAddress } from "viem";
import { afterEach, expect, it, vi } from "vitest";
import { SAMPLE_MS, SAMPLE_NODE } from "../../core/jobs/sample-offer.ts";
import { type Clock, systemClock } from "../../core/ports.ts";
import { earningsDuty } from "../../workers/objects/node/duties/earnings.ts";
import { Outbox } from "../../workers/objects/node/outbox.ts";
import { NodeStore } from "../../workers/objects/node/store.ts";

const DAY = 86_400_000;
const daysAgo = (days: number) => new Date(SAMPLE_MS - days * DAY).toISOString();

interface Paid {
  job_id: string;
  status: string;
  completed_at: string | number | null;
}

const paid = (jobId: string, change: Partial<Paid> = {}) => ({
  job_id: jobId,
  role: "leader",
  status: "COMPLETED",
  amount_blind_earned: 0.6,
  completed_at: daysAgo(1),
  ...change,
});

afterEach(() => vi.unstubAllGlobals());

/** A node's duty and the payment service; `run` gives how many rows it wrote, and for which jobs. */
function withDuty(name: string, work: (run: Run) => Promise<void>): Promise<void> {
  return runInDurableObject(env.ASSIGNMENT.getByName(`earnings/${name}`), async (_object, { storage }) => {
    let rowsWritten = 0;
    const sql = {
      exec: (query: string, ...values: unknown[]) => {
        const cursor = storage.sql.exec(query, ...values);
        rowsWritten += cursor.rowsWritten;
        return cursor;
      },
    } as unknown as SqlStorage;
    const parts = { store: new NodeStore(sql), outbox: new Outbox(sql), signer: { address: getAddress(SAMPLE_NODE) } };
    await work(async (jobs, nowMs = SAMPLE_MS) => {
      vi.stubGlobal("fetch", async (request: Request) =>
        Response.json(
          request.url.includes("/jobs") ? { jobs } : { total_blind_earned: jobs.length * 0.6, jobs_count: jobs.length },
        ),
      );
      const clock: Clock = { ...systemClock, now: () => nowMs };
      const settings = { paymentServiceUrl: "http://127.0.0.1:1", retention: { historyDays: 90 } };
      storage.sql.exec("DELETE FROM outbox");
      rowsWritten = 0;
      await earningsDuty({ ...parts, kit: { clock, settings } });
      const put = storage.sql.exec<{ key: string }>("SELECT key FROM outbox ORDER BY seq").toArray();
      return { rowsWritten, put: put.map(({ key }) => key.replace("earning/", "")) };
    });
  });
}
type Run = (jobs: Paid[], nowMs?: number) => Promise<{ rowsWritten: number; put: string[] }>;

it("a second answer that says the same writes nothing", () =>
  withDuty("same", async (run) => {
    const jobs = [paid("b"), paid("a"), paid("__proto__"), paid("open", { status: "PENDING", completed_at: null })];
    expect((await run(jobs)).put).toEqual(["b", "a", "__proto__", "open"]);
    expect(await run(jobs, SAMPLE_MS + 600_000)).toEqual({ rowsWritten: 0, put: [] });
  }));

it("an idle day of them writes four rows: the date of the figures", () =>
  withDuty("idle", async (run) => {
    const jobs = Array.from({ length: 100 }, (_, at) => paid(`job-${at}`));
    await run(jobs);
    let rows = 0;
    for (let minutes = 10; minutes <= 24 * 60; minutes += 10) {
      rows += (await run(jobs, SAMPLE_MS + minutes * 60_000)).rowsWritten;
    }
    expect(rows).toBe(4);
  }));

it("only what is new or has changed is written, also where the totals are the same", () =>
  withDuty("changed", async (run) => {
    await run([paid("b"), paid("a")]);
    expect((await run([paid("c"), paid("b"), paid("a")])).put).toEqual(["c"]);
    expect((await run([paid("c"), paid("b", { status: "FAILED" }), paid("a")])).put).toEqual(["b"]);
  }));

it("what is older than the history goes back is left out, with either form of date", () =>
  withDuty("old", async (run) => {
    const seconds = (days: number) => (SAMPLE_MS - days * DAY) / 1000;
    const jobs = [
      paid("young", { completed_at: daysAgo(89) }),
      paid("old", { completed_at: daysAgo(91) }),
      paid("young in seconds", { completed_at: seconds(89) }),
      paid("old in seconds", { completed_at: seconds(91) }),
      paid("undated", { completed_at: null }),
      paid("unreadable", { completed_at: "yesterday" }),
    ];
    expect((await run(jobs)).put).toEqual(["young", "young in seconds", "undated", "unreadable"]);
  }));

it("what grows old while it is listed is not written once more", () =>
  withDuty("ages", async (run) => {
    await run([paid("a")]);
    expect((await run([paid("a")], SAMPLE_MS + 100 * DAY)).put).toEqual([]);
    expect((await run([paid("a")], SAMPLE_MS + 101 * DAY)).put).toEqual([]);
  }));
