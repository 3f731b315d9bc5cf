/** What keeps a node from claiming, on the real node in simulated time: each hold begins and ends as its table says. */
import { createTestClient, encodeFunctionData, http, parseEther } from "viem";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { stakingAbi } from "../../core/chain/abi.ts";
import { approveCall, stakeCall } from "../../core/chain/calls.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { DEV_ROLES, devAccount } from "../../devnet/chain/accounts.ts";
import { sendCall } from "../../devnet/chain/send.ts";
import { assignmentName } from "../../workers/objects/names.ts";
import type { NodeSnapshot } from "../../workers/objects/node/snapshot.ts";
import { type SimChain, startChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { pass, until } from "./platform/time.ts";
import { World } from "./world.ts";

const MODEL = "groq:llama-3.3-70b-versatile";
const MINUTE = 60_000;

let chain: SimChain;
let world: World;

beforeAll(async () => {
  chain = await startChain();
});
beforeEach(async () => {
  world = await World.open({ chain });
});
afterEach(() => world.close());
afterAll(() => chain.stop());

async function deploy(settings: Record<string, string> = {}): Promise<Deployment> {
  const node = world.deploy({ index: 0, models: [MODEL, "mock:demo"], settings });
  await world.untilLive();
  await world.joinPeers([MODEL, "mock:demo"]);
  return node;
}

async function statusOf(node: Deployment): Promise<NodeSnapshot> {
  const snapshot = (await node.node().snapshot(node.address)) as NodeSnapshot | null;
  if (snapshot === null) throw new Error("no snapshot");
  return snapshot;
}

const holdsOf = async (node: Deployment) => (await statusOf(node)).holds.map(({ code }) => code);
const events = (node: Deployment, event: string) => node.log.filter((line) => line.event === event);

async function ended(node: Deployment, jobId: string) {
  return until(`the end of ${jobId}`, () => {
    const job = node.job(jobId);
    return job?.state === "settled" || job?.state === "failed" ? job : undefined;
  });
}

/** One claimed job that fails: the model refuses it. */
async function failOne(node: Deployment, role: "leader" | "verifier" = "verifier") {
  node.doors.faults.groq.arm({ path: "completions", mode: "status", status: 400 });
  const jobId = await world.ask({ node, role, modelId: MODEL });
  const job = await ended(node, jobId);
  expect(job.state).toBe("failed");
  return job;
}

/** Asks and sees whether the node claims within half a minute. */
async function claims(node: Deployment, role: "leader" | "verifier" = "verifier", modelId = "mock:demo") {
  const jobId = await world.ask({ node, role, modelId });
  await pass(30_000);
  return (node.job(jobId)?.claimSentAtMs ?? null) === null ? null : jobId;
}

describe("the slash guard", () => {
  it("takes one job at a time after a failure, stops after two, and is on probation after the operator's resume", async () => {
    const node = await deploy();
    await failOne(node);
    expect(await holdsOf(node)).toEqual([]);
    expect((await statusOf(node)).failures).toMatchObject({ inARow: 1, onProbation: true });

    await failOne(node);
    expect(await holdsOf(node)).toEqual(["failures"]);
    expect(events(node, "node.held").map(({ code }) => code)).toEqual(["failures"]);
    const beats = world.services.coordinator.stats().nodes.find(({ address }) => address === node.address)?.heartbeats;
    node.doors.faults.groq.arm({ path: "completions", mode: "hang", count: 3 });
    const first = await world.ask({ node, role: "verifier", modelId: MODEL });
    await pass(2 * MINUTE);
    expect(node.job(first)).toBeUndefined();
    const later = world.services.coordinator.stats().nodes.find(({ address }) => address === node.address)?.heartbeats;
    expect(later).toBeGreaterThan(beats ?? 0);

    await node.node().resume();
    await pass(10_000);
    expect(node.job(first)).toMatchObject({ state: "claimed" });
    expect(await claims(node)).toBeNull();
    expect(await ended(node, first)).toMatchObject({ outcome: "accepted" });
    expect((await statusOf(node)).failures.inARow).toBe(0);
    expect(await claims(node)).not.toBeNull();
  });

  it("counts each end once, however often it is told", async () => {
    const node = await deploy();
    const { jobId, role, modelId, state, outcome, failure } = await failOne(node);
    const report = { jobId, role, modelId, state, outcome, failure, standing: "failure" as const };
    for (let time = 0; time < 3; time++) await node.node().jobMoved(report);
    expect((await statusOf(node)).failures.own).toBe(1);
  });

  it("goes by the chain's count where that is higher", async () => {
    const client = createChainClient({ rpcUrls: [chain.rpcUrl], chainId: chain.chainId });
    const account = devAccount(DEV_ROLES.firstNode);
    const { staking, token } = chain.contracts;
    const count = (functionName: "recordFailure" | "resetFailures") => {
      const data = encodeFunctionData({ abi: stakingAbi, functionName, args: [account.address] });
      return sendCall(client, devAccount(DEV_ROLES.icl), { purpose: functionName, to: staking, data });
    };
    await sendCall(client, account, approveCall(token, "approve", staking, parseEther("1000")));
    await sendCall(client, account, stakeCall(staking, "stake", parseEther("1000")));
    for (let time = 0; time < 2; time++) await count("recordFailure");
    try {
      const node = await deploy();
      await until("the look at the chain", () => (node.document("chain") === null ? undefined : true));
      expect(await holdsOf(node)).toEqual(["failures"]);
      expect((await statusOf(node)).failures).toMatchObject({ own: 0, chain: 2, inARow: 2 });
      expect(await claims(node)).toBeNull();
    } finally {
      await count("resetFailures");
    }
  });
});

describe("a circuit breaker", () => {
  it("stops claims for a dead backend before the next one, asks whether it is back, and tries one job first", async () => {
    const node = await deploy();
    node.doors.faults.groq.arm({ path: ".", mode: "status", status: 503, count: 1_000 });
    const jobId = await world.ask({ node, role: "verifier", modelId: MODEL });
    await until("the breaker", () => (events(node, "dependency.down").length > 0 ? true : undefined));
    expect(await holdsOf(node)).toContain("backend");
    expect(await claims(node, "verifier", MODEL)).toBeNull();
    expect(await claims(node, "verifier", "mock:demo")).not.toBeNull();

    node.doors.faults.groq.clear();
    await until("the backend's answer", () => (events(node, "dependency.answers").length > 0 ? true : undefined));
    expect(await ended(node, jobId)).toMatchObject({ state: "settled" });
    await until("a job's success", () => (events(node, "dependency.up").length > 0 ? true : undefined));
    expect(await holdsOf(node)).toEqual([]);
    expect(await claims(node, "verifier", MODEL)).not.toBeNull();
  });
});

describe("what the node sees", () => {
  it("holds it while heartbeats fail, and lets it go with the first that is answered", async () => {
    const node = await deploy();
    node.doors.faults.icl.arm({ path: "/internal/heartbeat$", mode: "status", status: 503, count: 1_000 });
    await pass(4 * MINUTE);
    expect(await holdsOf(node)).toEqual(["heartbeats"]);
    expect(await claims(node)).toBeNull();
    node.doors.faults.icl.clear();
    await pass(MINUTE);
    expect(await holdsOf(node)).toEqual([]);
    expect(events(node, "node.released").map(({ code }) => code)).toEqual(["heartbeats"]);
    expect(await claims(node)).not.toBeNull();
  });

  it("holds it once its certificate has run out and is not renewed", async () => {
    world.close();
    world = await World.open({ chain, coordinator: { certificateSec: 900 } });
    const node = await deploy();
    node.doors.faults.icl.arm({ path: "/internal/challenge/", mode: "status", status: 503, count: 10_000 });
    await pass(16 * MINUTE);
    expect(await holdsOf(node)).toContain("certificate");
    node.doors.faults.icl.clear();
    await pass(MINUTE);
    expect(await holdsOf(node)).toEqual([]);
  });

  it("has it lead nothing without gas, and verify on", async () => {
    const test = createTestClient({ mode: "anvil", transport: http(chain.rpcUrl) });
    const client = createChainClient({ rpcUrls: [chain.rpcUrl], chainId: chain.chainId });
    const { address } = devAccount(DEV_ROLES.firstNode);
    const before = await client.getBalance({ address });
    await test.setBalance({ address, value: 1_000n });
    try {
      const node = await deploy();
      await until("the look at the chain", () => (node.document("chain") === null ? undefined : true));
      expect(await holdsOf(node)).toEqual(["gas"]);
      expect(await claims(node, "leader")).toBeNull();
      expect(await claims(node, "verifier")).not.toBeNull();
    } finally {
      await test.setBalance({ address, value: before });
    }
  });
});

describe("a second copy of a node", () => {
  it("is noticed by heartbeats that it did not send, and stops both from claiming", async () => {
    const one = await deploy();
    const other = await deploy();
    await until(
      "both to notice",
      () =>
        [one, other].every((node) => events(node, "node.held").some(({ code }) => code === "second-copy"))
          ? true
          : undefined,
      60 * MINUTE,
    );
    expect(await holdsOf(one)).toContain("second-copy");
    other.dispose();
    await one.node().resume();
    await pass(30 * MINUTE);
    expect(await holdsOf(one)).toEqual([]);
    expect(await claims(one)).not.toBeNull();
  });

  it("that is new stays silent while the first one is alive", async () => {
    const one = await deploy();
    const copy = world.deploy({ index: 0, models: ["mock:demo"], settings: { BLF_COPY_CHECK_SECONDS: "120" } });
    await until("the new one to notice", () =>
      events(copy, "node.held").some(({ code }) => code === "second-copy") ? true : undefined,
    );
    await pass(10 * MINUTE);
    expect(events(copy, "certificate.issued")).toEqual([]);
    expect(await holdsOf(copy)).toEqual(["second-copy"]);
    expect(await holdsOf(one)).toEqual([]);
  });

  it("that replaces the first one begins by itself once that one is silent", async () => {
    const one = await deploy();
    one.dispose();
    const next = world.deploy({ index: 0, models: ["mock:demo"], settings: { BLF_COPY_CHECK_SECONDS: "120" } });
    await pass(MINUTE);
    expect(await holdsOf(next)).toEqual(["copy-check"]);
    await until("a certificate", () => (events(next, "certificate.issued").length > 0 ? true : undefined));
    expect(await holdsOf(next)).toEqual([]);
  });

  it("is not seen in a node that is killed and started again and again", async () => {
    const node = await deploy({ BLF_KNOWN_CHECK_SECONDS: "10" });
    for (let time = 0; time < 20; time++) {
      await pass(37_000);
      node.crash();
    }
    expect(events(node, "heartbeat.foreign")).toEqual([]);
  });
});

describe("alarms", () => {
  it.each(["gone", "stranded"] as const)("of the Node object that are %s are set again by the cron", async (how) => {
    const node = await deploy();
    node.nodes.loseAlarm(node.address, how);
    await pass(2 * MINUTE);
    expect(await claims(node)).not.toBeNull();
    expect(Date.now() - ((await statusOf(node)).lastPollAtMs ?? 0)).toBeLessThan(10_000);
  });

  it.each(["gone", "stranded"] as const)("of a job that are %s are set again, and the job is finished", async (how) => {
    const node = await deploy();
    node.doors.faults.groq.arm({ path: "completions", mode: "status", status: 503, count: 2 });
    const jobId = await world.ask({ node, role: "leader", modelId: MODEL });
    await until("its claim", () => (node.job(jobId)?.state === "claimed" ? true : undefined));
    await pass(600);
    node.assignments.kill();
    node.assignments.loseAlarm(assignmentName(node.address, jobId), how);
    expect(await ended(node, jobId)).toMatchObject({ state: "settled", outcome: "accepted" });
  });

  it("fired twice, and two ticks at once, have no effect beyond the first", async () => {
    const node = await deploy();
    const jobId = await world.ask({ node, role: "leader", modelId: "mock:demo" });
    const name = assignmentName(node.address, jobId);
    await until("the job", () => {
      void node.cron();
      void node.cron();
      void node.nodes.fireAgain(node.address).catch(() => undefined);
      if (node.assignments.has(name)) {
        for (let time = 0; time < 2; time++) void node.assignments.fireAgain(name).catch(() => undefined);
      }
      return node.job(jobId)?.state === "settled" ? true : undefined;
    });
    const member = world.view(jobId).members.find((one) => one.node === node.address);
    expect(member?.claimsMs).toHaveLength(1);
    expect(world.services.coordinator.stats().doubleCommitments).toEqual([]);
    const grants = node.nodes.storage(node.address).query("SELECT purpose FROM transactions");
    expect(grants).toHaveLength(1);
  });
});
