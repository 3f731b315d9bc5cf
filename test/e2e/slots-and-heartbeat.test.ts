import { createWalletClient, http } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeRegistryAbi } from "../../core/chain/abi.ts";
import { readNodeView } from "../../core/chain/reads.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { DEV_ROLES, devAccount } from "../../devnet/chain/accounts.ts";
import { eventually } from "../eventually.ts";
import { type Rig, startRig } from "./rig.ts";

const JOBS = 6;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({ models: ["mock:demo"], env: () => ({ BLF_MAX_CONCURRENT_JOBS: "1" }) });
});

afterAll(() => rig.stop());

describe("nodes with one slot each", () => {
  it("finish six jobs that came at once, without waiting for one another for ever", async () => {
    const results = await Promise.all(
      Array.from({ length: JOBS }, (_, index) => rig.ask("mock:demo", `Job ${index} of ${JOBS}`)),
    );
    for (const result of results) expect(result).toMatchObject({ status: "ACCEPTED" });
    expect(rig.network.coordinator.stats().failuresRecorded).toEqual([]);
    expect(rig.network.coordinator.stats().doubleCommitments).toEqual([]);
  });

  it("never worked on two at a time", () => {
    for (const node of rig.nodes) {
      const lines = rig.log.filter((entry) => entry.node === node.index).map(({ line }) => line);
      const working = new Set<unknown>();
      for (const line of lines) {
        if (line.event === "offer.taken") working.add(line.jobId);
        if (line.event === "job.answered" && line.role === "verifier") working.delete(line.jobId);
        if (line.event === "job.submitted" && line.role === "leader") working.delete(line.jobId);
        expect(working.size).toBeLessThanOrEqual(1);
      }
    }
  });
});

describe("the heartbeat on chain", () => {
  it("is sent once it is due, before the grace ends, in one transaction", async () => {
    const [node] = rig.nodes;
    if (node === undefined) throw new Error("no node");
    const client = createChainClient({ rpcUrls: [rig.network.urls.rpc], chainId: rig.network.chainId });
    const registry = async () => (await readNodeView(client, rig.network.contracts, node.address)).registry;
    const before = (await registry())?.lastHeartbeatSec ?? 0;
    const owner = createWalletClient({
      account: devAccount(DEV_ROLES.deployer),
      chain: client.chain,
      transport: http(rig.network.urls.rpc),
    });
    await owner.writeContract({
      address: rig.network.contracts.nodeRegistry,
      abi: nodeRegistryAbi,
      functionName: "setHeartbeatGrace",
      args: [20n],
    });
    // A start is when the node looks at the chain; the next look is an hour away.
    await rig.restart(0);
    const after = await eventually("the heartbeat", async () => {
      const seen = (await registry())?.lastHeartbeatSec ?? 0;
      return seen > before ? seen : undefined;
    });
    expect(after).toBeGreaterThan(before);
    const restarted = rig.nodes[0];
    const purposes = await eventually("its row in the history", async () => {
      const page = (await restarted?.api("/api/transactions")) as {
        transactions: { purpose: string; state: string }[];
      };
      const beats = page.transactions.filter(({ purpose }) => purpose.startsWith("heartbeat:"));
      return beats.some(({ state }) => state === "confirmed") ? beats.map(({ purpose }) => purpose) : undefined;
    });
    expect(purposes).toEqual([`heartbeat:${before}`]);
  });
});
