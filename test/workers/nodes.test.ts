import {
  createExecutionContext,
  createScheduledController,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { sampleOffer } from "../../core/jobs/sample-offer.ts";
import type { Env } from "../../workers/env.ts";
import worker from "../../workers/index.ts";
import { assignmentName } from "../../workers/objects/names.ts";
import { wire } from "../../workers/wiring.ts";
import { eventually } from "../eventually.ts";

const rig = inject("rigUrl");
const HASH = "ab".repeat(32);

interface Stats {
  nodes: { address: string; live: boolean }[];
  jobs: { job_id: string; leader_address: string; commitments: unknown[] }[];
  doubleCommitments: unknown[];
}

let addresses: string[];

async function fromRig<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(`${rig}${path}`, init)).json()) as T;
}

function cron(): Promise<void> {
  return worker.scheduled(createScheduledController(), env as unknown as Env);
}

function node(index: number) {
  return env.NODE.getByName(addresses[index] ?? "");
}

function snapshot(index: number) {
  return node(index).snapshot(addresses[index] ?? "");
}

async function call(path: string, init: { method?: string; body?: string } = {}): Promise<Response> {
  const headers = { authorization: "Bearer an-admin-token-of-the-test" };
  const ctx = createExecutionContext();
  const request = new Request<unknown, IncomingRequestCfProperties>(`https://node.test${path}`, { ...init, headers });
  const response = await worker.fetch(request, env as unknown as Env, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

async function api(path: string, init: { method?: string; body?: string } = {}): Promise<unknown> {
  return (await call(path, init)).json();
}

beforeAll(async () => {
  // The objects see the same settings: the platform's env is one.
  Object.assign(env, await fromRig<Record<string, string>>("/settings"));
  addresses = [...(wire(env).configured?.signers.keys() ?? [])];
  await cron();
  await eventually("three live nodes", async () => {
    const { nodes } = await fromRig<Stats>("/stats");
    return nodes.filter((one) => one.live).length === 3 ? true : undefined;
  });
});

describe("a node object", () => {
  it("is brought to life by cron for each key, attested, and driven by its own alarm", async () => {
    expect(addresses).toHaveLength(3);
    for (const index of [0, 1, 2]) {
      expect(await snapshot(index)).toMatchObject({ state: "running", models: ["mock:demo"], tier: 0 });
      const alarm = await runInDurableObject(node(index), (_object, state) => state.storage.getAlarm());
      expect(alarm).toBeGreaterThan(Date.now() - 1_000);
    }
  });

  it.each([
    ["lost", null],
    ["stuck in the past", 60_000],
  ])("has an alarm that was %s set again by the next cron", async (_name, agoMs) => {
    await runInDurableObject(node(0), async (_object, state) => {
      await state.storage.deleteAlarm();
      // An alarm in the past fires at once; the one that does not is played by writing it and taking it away again.
      if (agoMs !== null) await state.storage.setAlarm(Date.now() + agoMs);
      if (agoMs !== null) await state.storage.deleteAlarm();
    });
    await cron();
    const alarm = await runInDurableObject(node(0), (_object, state) => state.storage.getAlarm());
    expect(alarm).not.toBeNull();
  });

  it("does nothing twice when its alarm fires while cron ticks it", async () => {
    const count = "SELECT COUNT(*) AS n FROM events WHERE type = 'certificate.issued'";
    // Until the first history is written there is no table.
    const issued = () =>
      env.DB.prepare(count)
        .first<number>("n")
        .catch(() => 0);
    await eventually("the certificates in the history", async () => ((await issued()) === 3 ? true : undefined));
    await Promise.all([cron(), cron(), runDurableObjectAlarm(node(0)), runDurableObjectAlarm(node(1)), cron()]);
    await Promise.all([0, 1, 2].map((index) => node(index).poll()));
    expect(await issued()).toBe(3);
  });

  it("keeps its certificate and its alarm when it is evicted", async () => {
    const before = await snapshot(2);
    await evictDurableObject(node(2));
    const after = await snapshot(2);
    expect(after?.certificate?.certHash).toBe(before?.certificate?.certHash);
  });

  it("keeps its CoFHE permit wrapped, and the sealing key nowhere in the open", async () => {
    await fromRig("/jobs/permit", {
      method: "POST",
      body: JSON.stringify({ modelId: "mock:demo", prompt: "For the permit" }),
    });
    await eventually("the user's result", async () => (await fromRig<unknown>("/jobs/permit")) ?? undefined, 60_000);
    for (const index of [0, 1, 2]) {
      const permit = await node(index).loadPermit();
      expect(permit).toMatch(/^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$/);
    }
    const before = await node(0).loadPermit();
    await fromRig("/jobs/permit-again", {
      method: "POST",
      body: JSON.stringify({ modelId: "mock:demo", prompt: "With the same permit" }),
    });
    await eventually(
      "the second result",
      async () => (await fromRig<unknown>("/jobs/permit-again")) ?? undefined,
      60_000,
    );
    expect(await node(0).loadPermit()).toBe(before);
  });

  it("takes a push as a hint to poll, once a second at most", async () => {
    const hints = await Promise.all([node(1).hint(), node(1).hint(), node(1).hint()]);
    expect(hints.filter((polled) => polled)).toHaveLength(1);
    const response = await call("/internal/task", {
      method: "POST",
      body: "not JSON",
    });
    expect(response.status).toBe(202);
  });

  it("pauses, says why, and resumes", async () => {
    await api("/api/pause", { method: "POST", body: JSON.stringify({ node: addresses[0], reason: "maintenance" }) });
    expect(await snapshot(0)).toMatchObject({
      state: "paused",
      holds: [{ code: "operator", reason: "maintenance", blocks: "everything", ends: "operator" }],
    });
    expect(await snapshot(1)).toMatchObject({ state: "running" });
    await api("/api/resume", { method: "POST", body: JSON.stringify({ node: addresses[0]?.toLowerCase() }) });
    expect(await snapshot(0)).toMatchObject({ state: "running", holds: [] });
  });

  it("refuses a command for a node that is not ours", async () => {
    const body = JSON.stringify({ node: "0x0000000000000000000000000000000000000001" });
    expect(await api("/api/pause", { method: "POST", body })).toEqual({
      error: "node: not one of this deployment's addresses",
    });
  });
});

describe("the commit guard", () => {
  const entry = { jobId: "guarded", role: "leader", commitment: HASH, outputCid: "bafk" };

  it("records one commitment a job, and takes the same one again", async () => {
    expect(await node(0).recordCommitment(entry)).toMatchObject({ ok: true });
    expect(await node(0).recordCommitment(entry)).toMatchObject({ ok: true });
  });

  it("refuses a different one, whatever the role and also after an eviction", async () => {
    await evictDurableObject(node(0));
    const other = await node(0).recordCommitment({ ...entry, role: "verifier", commitment: "cd".repeat(32) });
    expect(other).toMatchObject({ ok: false, refusal: expect.stringContaining(HASH) });
  });

  it("lets one of many that come at once win", async () => {
    const tries = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        node(1).recordCommitment({ ...entry, jobId: "raced", commitment: index.toString(16).padStart(64, "0") }),
      ),
    );
    expect(tries.filter((one) => one.ok)).toHaveLength(1);
  });
});

describe("an assignment", () => {
  const offer = (jobId: string) => ({ ...sampleOffer("verifier", Date.now()), jobId });

  it("that the coordinator does not know ends with key-unavailable, a reason, and no slot held", async () => {
    const job = env.ASSIGNMENT.getByName(assignmentName(addresses[0] ?? "", "unknown-job"));
    await job.offer(addresses[0] ?? "", offer("unknown-job"));
    const ended = await eventually("the job's end", async () => {
      const shown = await job.snapshot();
      return shown?.state === "failed" ? shown : undefined;
    });
    expect(ended.failure).toMatchObject({ code: "key-unavailable", hint: expect.any(String) });
    expect((await snapshot(0))?.slots.open).toBe(0);
    const alarm = await runInDurableObject(job, (_object, state) => state.storage.getAlarm());
    // Nothing more to do than to delete the record, days later.
    expect(alarm).toBeGreaterThan(Date.now() + 6 * 86_400_000);
  });

  it("offered again is the same job", async () => {
    const job = env.ASSIGNMENT.getByName(assignmentName(addresses[0] ?? "", "unknown-job"));
    const before = await job.snapshot();
    await job.offer(addresses[0] ?? "", { ...offer("unknown-job"), role: "leader" });
    expect(await job.snapshot()).toEqual(before);
  });
});

describe("a whole job, with every object evicted again and again while it runs", () => {
  it("is accepted, with one commitment a node and one transaction for its key", async () => {
    await fromRig("/jobs/evicted", {
      method: "POST",
      body: JSON.stringify({ modelId: "mock:demo", prompt: "Evicted at every turn" }),
    });
    const result = await eventually(
      "the user's result",
      async () => {
        const { jobs } = await fromRig<Stats>("/stats");
        const jobId = jobs.at(-1)?.job_id;
        for (const address of addresses) {
          if (jobId === undefined) continue;
          await evictDurableObject(env.ASSIGNMENT.getByName(assignmentName(address, jobId))).catch(() => undefined);
          await evictDurableObject(env.NODE.getByName(address)).catch(() => undefined);
        }
        return (await fromRig<Record<string, unknown> | null>("/jobs/evicted")) ?? undefined;
      },
      90_000,
    );
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    const stats = await fromRig<Stats>("/stats");
    expect(stats.doubleCommitments).toEqual([]);
    await eventually("the history", async () => {
      const { assignments } = (await api("/api/assignments?status=accepted")) as { assignments: unknown[] };
      return assignments.length === 3 * 3 ? true : undefined;
    });
    const transactions = await eventually("the transaction's row", async () => {
      const page = (await api("/api/transactions")) as { transactions: { purpose: string; state: string }[] };
      const ours = page.transactions.filter(({ purpose }) => purpose === `output-key:${String(result.jobId)}`);
      return ours.some(({ state }) => state === "confirmed") ? ours : undefined;
    });
    expect(transactions).toHaveLength(1);
  });

  it("left the wrapped key and the sealed answer nowhere", async () => {
    const { jobs } = await fromRig<Stats>("/stats");
    const job = jobs.at(-1);
    const leader = env.ASSIGNMENT.getByName(assignmentName(job?.leader_address ?? "", job?.job_id ?? ""));
    await eventually("the answer to be forgotten", async () => {
      const kept = await runInDurableObject(leader, (_object, state) => [
        state.storage.sql.exec("SELECT COUNT(*) AS n FROM answer").one().n,
        state.storage.sql.exec<{ json: string }>("SELECT json FROM job").one().json.includes('"outputKey":null'),
      ]);
      return kept[0] === 0 && kept[1] === true ? true : undefined;
    });
  });

  it("is shown with its live record and its timeline", async () => {
    const { jobs } = await fromRig<Stats>("/stats");
    const shown = (await api(`/api/assignments/${jobs.at(-1)?.job_id}`)) as { jobs: unknown[]; timeline: unknown[] };
    expect(shown.jobs).toHaveLength(3);
    expect(shown.timeline.length).toBeGreaterThanOrEqual(3 * 6);
    const response = await call("/api/assignments/no-such-job");
    expect(response.status).toBe(404);
  });
});
