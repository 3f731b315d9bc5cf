/** Faults that are no single call's (odd-cases.ts), each on the real node in simulated time. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type SimChain, startChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { FAULTS, type FaultName, faultOf } from "./fault-modes.ts";
import { crashes, outcomeOf } from "./matrix.ts";
import { ODD_CASES, type OddCaseName } from "./odd-cases.ts";
import { closeWorld, ended, live as liveOn, MINUTE_MS, MODEL, told } from "./one-node.ts";
import { pass, until } from "./platform/time.ts";
import type { World, WorldOptions } from "./world.ts";

const ASSIGNMENTS = "^/internal/assignments/";

let chain: SimChain;

beforeAll(async () => {
  chain = await startChain();
});
afterEach(closeWorld);
afterAll(() => chain.stop());

const live = (options: Omit<WorldOptions, "chain"> = {}) => liveOn({ chain, ...options });
const expected = (name: OddCaseName) => ODD_CASES[name].job;

describe("content", () => {
  it.each([
    ["lying gateway, once", 3],
    ["lying gateway", 1_000_000],
  ] as const)("%s", async (name, count) => {
    const { at, node } = await live({ coordinator: { jobDeadlineSec: 150 } });
    const body = JSON.stringify({ route: "gateway", mode: "lie", count });
    const armed = await at.services.ipfs.app.request("/devnet/faults", { method: "POST", body });
    expect(armed.status).toBe(200);
    const jobId = await at.ask({ node, role: "verifier", modelId: MODEL });
    expect(await ended(at, node, jobId)).toBe(expected(name));
  });
});

describe("offers", () => {
  /** The next polls bring these offers. */
  const offer = (node: Deployment, rows: object[], count: number) =>
    node.doors.faults.icl.arm({
      path: ASSIGNMENTS,
      mode: "json",
      count,
      body: JSON.parse(JSON.stringify({ assignments: rows })) as null,
    });

  /** A job's offer to the node as the coordinator makes it. */
  async function asked(at: World, node: Deployment) {
    const jobId = await at.ask({ node, role: "verifier", modelId: MODEL });
    const view = at.view(jobId);
    const row = {
      jobId,
      role: "verifier",
      modelId: MODEL,
      promptCid: await at.services.ipfs.store.add(chain.sealedPrompt),
      deadline: Math.floor(view.deadlineMs / 1_000),
      insuranceOptIn: false,
      userAddress: at.peers[0].address,
      kpHighHandle: String(chain.promptKey.high),
      kpLowHandle: String(chain.promptKey.low),
    };
    return { jobId, row };
  }

  const claims = (at: World, node: Deployment, jobId: string) =>
    at.view(jobId).members.find((member) => member.node === node.address)?.claimsMs.length;

  it("duplicate offers", async () => {
    const { at, node } = await live();
    const { jobId, row } = await asked(at, node);
    offer(node, [row, row], 4);
    expect(await ended(at, node, jobId)).toBe(expected("duplicate offers"));
    await pass(MINUTE_MS);
    expect(claims(at, node, jobId)).toBe(1);
    expect(node.assignments.names()).toHaveLength(1);
  });

  it.each([
    ["changed offer", { promptCid: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", deadline: 1 }, 0],
    ["flipped role", { role: "leader" }, 1],
  ] as const)("%s", async (name, change, refusals) => {
    const { at, node } = await live();
    const { jobId, row } = await asked(at, node);
    // Newest first: the first poll brings the offer, the next ones the changed one.
    offer(node, [{ ...row, ...change }], 10);
    offer(node, [row], 1);
    expect(await ended(at, node, jobId)).toBe(expected(name));
    await pass(MINUTE_MS);
    expect(told(node, "offer.left").filter(({ reason }) => reason === "changed")).toHaveLength(refusals);
    expect(claims(at, node, jobId)).toBe(1);
  });

  it("past deadline", async () => {
    const { at, node } = await live();
    const { jobId, row } = await asked(at, node);
    offer(node, [{ ...row, deadline: Math.floor(Date.now() / 1_000) - 60 }], 1_000_000);
    await pass(MINUTE_MS);
    expect(outcomeOf(node, jobId)).toBe(expected("past deadline"));
    expect(told(node, "offer.left")).toMatchObject([{ reason: "no-time", jobId }]);
  });
});

describe("time", () => {
  it.each([
    ["clock behind", 10 * MINUTE_MS],
    ["clock ahead", -10 * MINUTE_MS],
  ] as const)("%s", async (name, offsetMs) => {
    const { at, node } = await live({ offsetMs });
    const jobs = [
      await at.ask({ node, role: "leader", modelId: MODEL }),
      await at.ask({ node, role: "verifier", modelId: MODEL }),
    ];
    for (const jobId of jobs) expect(await ended(at, node, jobId)).toBe(expected(name));
    expect(told(node, "clock.off")).toHaveLength(1);
  });
});

describe("the history", () => {
  it("D1 away", async () => {
    const { at, node } = await live();
    await pass(10_000);
    node.d1.away = true;
    const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
    const askedMs = Date.now();
    expect(await ended(at, node, jobId)).toBe(expected("D1 away"));
    expect(Date.now() - askedMs).toBeLessThan(MINUTE_MS);
    await pass(60 * MINUTE_MS);
    expect(node.history("assignments")).toEqual([]);
    node.d1.away = false;
    await pass(10 * MINUTE_MS);
    expect(node.history("assignments")).toMatchObject([{ job_id: jobId, state: "settled", outcome: "accepted" }]);
    const events = node.history("events").filter(({ job_id }) => job_id === jobId);
    expect(events.map(({ type }) => type)).toContain("job.settled");
    expect(node.history("transactions")).toMatchObject([{ state: "confirmed" }]);
    expect(crashes(node)).toEqual([]);
  });
});

describe("figures", () => {
  it("no figures", async () => {
    const { at, node } = await live();
    const jobId = await at.ask({ node, role: "verifier", modelId: MODEL });
    expect(await ended(at, node, jobId)).toBe(expected("no figures"));
    await pass(MINUTE_MS);
    const figures = async (fault?: FaultName) => {
      const lies = {
        wrongTypes: { total_jobs: "many" },
        absentFields: {},
        outOfRange: { total_jobs: -1, success: 1, failed: 0, slashed: 0, slash_count: 0, current_stake_blind: "1" },
      };
      const path = "^/v1/nodes/[^/]+/stats$";
      if (fault !== undefined) node.doors.faults.payment.arm({ path, method: "GET", ...faultOf(fault, lies) });
      let reply: unknown;
      void node.fetch("/api/earnings").then((given) => {
        reply = given;
      });
      return until("the answer", () => reply, MINUTE_MS);
    };
    const lastKnown = { jobsCount: 1 };
    expect(await figures()).toMatchObject({ nodes: [{ stats: { totalJobs: 1 }, lastKnown }] });
    for (const fault of FAULTS) expect(await figures(fault)).toMatchObject({ nodes: [{ stats: null, lastKnown }] });
  });
});
