import { keccak256, parseEther, toHex } from "viem";
import { describe, expect, it } from "vitest";
import { fetchEarnings, fetchPaidJobs, fetchStats } from "../../core/payment/client.ts";
import { type Clock, systemClock } from "../../core/ports.ts";
import { devAccount } from "../chain/accounts.ts";
import type { SettledJob, SettledMember } from "../coordinator/ports.ts";
import { createPaymentService } from "./payment.ts";

const NOW_MS = 1_900_000_000_000;
const clock: Clock = { now: () => NOW_MS, sleep: async () => {} };
const [LEADER, FIRST, SECOND] = [4, 5, 6].map((index) => devAccount(index).address) as [
  `0x${string}`,
  `0x${string}`,
  `0x${string}`,
];

const earned = (node: `0x${string}`, role: SettledMember["role"]): SettledMember => ({ node, role, part: "earned" });
const lost = (node: `0x${string}`, role: SettledMember["role"]): SettledMember => ({ node, role, part: "lost" });

function job(jobId: string, outcome: SettledJob["outcome"], members: SettledMember[]): SettledJob {
  return { jobId, modelId: "mock:demo", outcome, members };
}

function createService() {
  const transfers: { to: string; amount: bigint }[] = [];
  const state = { broken: false };
  const service = createPaymentService({
    clock,
    chain: {
      async transfer(to, amount) {
        if (state.broken) throw new Error("the fake chain is down");
        transfers.push({ to, amount });
        return keccak256(toHex(transfers.length));
      },
      stakeOf: async () => parseEther("1000"),
      slashCount: async (node) => (node === SECOND ? 1 : 0),
    },
  });
  const fetch: typeof globalThis.fetch = async (input, init) => service.app.fetch(new Request(input, init));
  return { ...service, transfers, state, client: { endpoint: "http://127.0.0.1", fetch, clock: systemClock } };
}

const accepted = job("0x1", "accepted", [
  earned(LEADER, "leader"),
  earned(FIRST, "verifier"),
  earned(SECOND, "verifier"),
]);

describe("the payment service", () => {
  it("pays 0.6 BLIND to the leader and 0.2 to each verifier, and tells the node's own client so", async () => {
    const { pay, transfers, client } = createService();
    await pay(accepted);
    expect(transfers).toEqual([
      { to: LEADER, amount: parseEther("0.6") },
      { to: FIRST, amount: parseEther("0.2") },
      { to: SECOND, amount: parseEther("0.2") },
    ]);
    expect(await fetchEarnings(client, LEADER)).toEqual({ totalBlind: 0.6, jobsCount: 1 });
    expect(await fetchPaidJobs(client, FIRST)).toEqual([
      {
        jobId: "0x1",
        role: "verifier",
        status: "COMPLETED",
        amountBlind: 0.2,
        modelId: "mock:demo",
        completedAt: new Date(NOW_MS).toISOString(),
      },
    ]);
  });

  it("pays nobody twice, however often a job is reported, and late members once", async () => {
    const { pay, transfers } = createService();
    const early = { ...accepted, members: accepted.members.slice(0, 2) };
    await Promise.all([pay(early), pay(early), pay(accepted), pay(accepted)]);
    expect(transfers.map(({ to }) => to).sort()).toEqual([LEADER, FIRST, SECOND].sort());
  });

  it("keeps the row of whoever lost, and refunds jobs that were not accepted", async () => {
    const { pay, transfers, client } = createService();
    await pay(job("0x2", "accepted", [earned(LEADER, "leader"), lost(SECOND, "verifier")]));
    await pay(job("0x3", "rejected", [lost(LEADER, "leader"), lost(SECOND, "verifier")]));
    await pay(job("0x4", "timedout", [lost(SECOND, "leader")]));
    expect(transfers).toHaveLength(1);
    const rows = await fetchPaidJobs(client, SECOND);
    expect(rows.map(({ jobId, status, amountBlind }) => [jobId, status, amountBlind])).toEqual([
      ["0x4", "REFUNDED", null],
      ["0x3", "REFUNDED", null],
      ["0x2", "FAILED", null],
    ]);
    expect(await fetchStats(client, SECOND)).toEqual({
      totalJobs: 3,
      success: 0,
      failed: 1,
      slashed: 1,
      slashCount: 1,
      currentStakeBlind: "1000.0000",
      totalEarnedBlind: "0.0000",
    });
  });

  it("leaves a row pending when the transfer fails, and pays it when the job is reported again", async () => {
    const { pay, state, client, transfers } = createService();
    state.broken = true;
    await expect(pay(accepted)).rejects.toThrow();
    expect(await fetchPaidJobs(client, LEADER)).toMatchObject([
      { status: "PENDING", amountBlind: null, completedAt: null },
    ]);
    expect(await fetchEarnings(client, LEADER)).toEqual({ totalBlind: 0, jobsCount: 0 });
    state.broken = false;
    await pay(accepted);
    expect(transfers).toHaveLength(3);
    expect(await fetchEarnings(client, LEADER)).toEqual({ totalBlind: 0.6, jobsCount: 1 });
  });

  it.each([
    ["/jobs?limit=0", 422],
    ["/jobs?limit=101", 422],
    ["/jobs?limit=x", 422],
    ["/jobs?limit=100", 200],
    ["/jobs", 200],
    ["/nothing", 404],
  ])("answers %s with %i", async (path, status) => {
    const { app } = createService();
    expect((await app.request(`/v1/nodes/${LEADER}${path}`)).status).toBe(status);
  });

  it("refuses what is no address, and knows one in any spelling", async () => {
    const { app, pay } = createService();
    await pay(accepted);
    expect((await app.request("/v1/nodes/0x12/earnings")).status).toBe(400);
    const lower = await app.request(`/v1/nodes/${LEADER.toLowerCase()}/earnings`);
    expect(await lower.json()).toEqual({ node_address: LEADER, total_blind_earned: 0.6, jobs_count: 1 });
  });

  it("sums exactly", async () => {
    const { pay, client } = createService();
    for (let index = 0; index < 10; index++) {
      await pay(job(`0x${index}`, "accepted", [earned(FIRST, "verifier")]));
    }
    expect(await fetchEarnings(client, FIRST)).toEqual({ totalBlind: 2, jobsCount: 10 });
  });
});
