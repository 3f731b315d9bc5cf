/** Faults that are no single call's (odd-cases.ts), each on the real node in simulated time. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { setFailpointHook } from "../../core/failpoint.ts";
import { isFinalState } from "../../core/jobs/job.ts";
import { type SimChain, startChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { crashes, outcomeOf } from "./matrix.ts";
import { ODD_CASES, type OddCaseName } from "./odd-cases.ts";
import { working } from "./platform/idle.ts";
import { realPost } from "./platform/real-post.ts";
import { pass, until } from "./platform/time.ts";
import { World, type WorldOptions } from "./world.ts";

const MODEL = "mock:demo";
const MINUTE_MS = 60_000;
const ASSIGNMENTS = "^/internal/assignments/";

let chain: SimChain;
let world: World | undefined;

beforeAll(async () => {
  chain = await startChain();
});
afterEach(() => {
  setFailpointHook(null);
  world?.close();
  world = undefined;
});
afterAll(() => chain.stop());

async function live(options: Omit<WorldOptions, "chain"> = {}): Promise<{ at: World; node: Deployment }> {
  const at = await World.open({ chain, ...options });
  world = at;
  const node = at.deploy({ index: 0, models: [MODEL] });
  await at.untilLive();
  await at.joinPeers([MODEL]);
  return { at, node };
}

async function ended(at: World, node: Deployment, jobId: string): Promise<string> {
  await until("the job to end", () => {
    const state = node.job(jobId)?.state;
    return (state !== undefined && isFinalState(state) && node.slotsHeld().length === 0) || undefined;
  });
  expect(crashes(node)).toEqual([]);
  expect(at.services.coordinator.stats().doubleCommitments).toEqual([]);
  return outcomeOf(node, jobId);
}

const told = (node: Deployment, event: string) => node.log.filter((line) => line.event === event);
const expected = (name: OddCaseName) => ODD_CASES[name].job;
const control = (method: string, ...params: unknown[]) =>
  working(async () => {
    const reply = await realPost(chain.rpcUrl, { body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) });
    const { result, error } = (await reply.json()) as { result?: unknown; error?: { message: string } };
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  });

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

describe("the chain", () => {
  it("reorganised chain", async () => {
    const { at, node } = await live();
    const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
    expect(await ended(at, node, jobId)).toBe(expected("reorganised chain"));
    const hash = node.job(jobId)?.grantTx;
    await control("anvil_rollback", 1);
    expect(await control("eth_getTransactionReceipt", hash)).toBeNull();
    await pass(2 * MINUTE_MS);
    expect(await control("eth_getTransactionReceipt", hash)).toMatchObject({ status: "0x1" });
    expect(told(node, "transaction.reorganised")).toHaveLength(1);
  });

  const HIGH = "0x174876e8000";
  const LOW = "0x3b9aca00";

  /** The base fee rises between signing and sending. Checked, because it may take the chain a moment to price by it. */
  const spike = (jobs: { signed: number }) =>
    setFailpointHook(async (name) => {
      if (name !== "transaction.signed") return;
      jobs.signed += 1;
      await control("anvil_setNextBlockBaseFeePerGas", HIGH);
      await control("evm_mine");
      for (let look = 0; look < 100; look++) {
        if (BigInt(String(await control("eth_gasPrice"))) > BigInt(HIGH) / 2n) return;
      }
      throw new Error("the base fee did not rise");
    });

  const calm = async () => {
    await control("anvil_setNextBlockBaseFeePerGas", LOW);
    await control("evm_mine");
  };

  it.each([
    ["gas price spike", 30],
    ["lasting gas price spike", 200],
  ] as const)("%s", async (name, seconds) => {
    const { at, node } = await live({ coordinator: { jobDeadlineSec: 180 } });
    const jobs = { signed: 0 };
    spike(jobs);
    const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
    await pass(seconds * 1_000);
    const lasts = name === "lasting gas price spike";
    expect(node.job(jobId)?.state).toBe(lasts ? "failed" : "published");
    expect(told(node, "node.held").map(({ code }) => code)).toEqual(lasts ? ["transactions"] : []);
    await calm();
    expect(await ended(at, node, jobId)).toBe(expected(name));
    expect(jobs.signed).toBe(1);
    await pass(MINUTE_MS);
    expect(node.transactions()).toMatchObject([{ state: "confirmed" }]);
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
