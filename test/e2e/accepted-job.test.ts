import { formatEther } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { promptKeyStoreAbi, tokenAbi } from "../../core/chain/abi.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { commitment } from "../../core/crypto/commitment.ts";
import type { UserResult } from "../../devnet/user/user.ts";
import { eventually } from "../eventually.ts";
import { addressesOf, allFiles, type Rig, startRig } from "./rig.ts";

const PROMPT = "A prompt with a marker: 5f1c2ab79e";

interface AssignmentRow {
  jobId: string;
  node: string;
  role: string;
  state: string;
  outcome: string | null;
  verdict: string | null;
  commitment: string | null;
  outputCid: string | null;
  grantTx: string | null;
  rewardBlind: string | null;
  [time: string]: unknown;
}

let rig: Rig;
let result: UserResult;
let before: bigint[];

async function blindOf(): Promise<bigint[]> {
  const client = createChainClient({ rpcUrls: [rig.network.urls.rpc], chainId: rig.network.chainId });
  return Promise.all(
    rig.nodes.map((node) =>
      client.readContract({
        address: rig.network.contracts.token,
        abi: tokenAbi,
        functionName: "balanceOf",
        args: [node.address],
      }),
    ),
  );
}

beforeAll(async () => {
  rig = await startRig({ models: ["mock:demo"] });
  before = await blindOf();
  result = await rig.ask("mock:demo", PROMPT);
});

afterAll(() => rig.stop());

describe("a job from an encrypted prompt to a decrypted answer", () => {
  it("is accepted with the same hash from all three nodes", () => {
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    expect([result.leader, ...result.verifiers].sort()).toEqual(addressesOf(rig.nodes).sort());
  });

  it("gives the user exactly the model's answer, and a commitment to it", async () => {
    const answer = result.answer ?? "";
    expect(answer).toMatch(/^MOCK_OUTPUT_[0-9a-f]{64}$/);
    expect(await commitment(result.outputCid ?? "", answer)).toBe(result.commitmentHash);
  });

  it("had its key in handles of more digits than a double holds, from the chain to the node and back", async () => {
    const client = createChainClient({ rpcUrls: [rig.network.urls.rpc], chainId: rig.network.chainId });
    const handles = await client.readContract({
      address: rig.network.contracts.promptKeyStore,
      abi: promptKeyStoreAbi,
      functionName: "getEncryptedKey",
      args: [result.jobId as `0x${string}`],
    });
    for (const handle of handles) {
      expect(String(handle).length).toBeGreaterThanOrEqual(70);
      expect(BigInt(Number(handle))).not.toBe(handle);
    }
  });

  it("pays the leader 0.6 BLIND and each verifier 0.2 by transfers on the chain", async () => {
    const earned = await eventually("rewards", async () => {
      const after = await blindOf();
      const gains = after.map((balance, index) => balance - (before[index] ?? 0n));
      return gains.every((gain) => gain > 0n) ? gains : undefined;
    });
    const byNode = rig.nodes.map((node, index) => [node.address === result.leader, formatEther(earned[index] ?? 0n)]);
    expect(byNode.map(([leads, amount]) => [leads, amount])).toEqual(
      rig.nodes.map((node) => [node.address === result.leader, node.address === result.leader ? "0.6" : "0.2"]),
    );
  });

  it("is in every node's history with its states, commitment, transaction and reward", async () => {
    for (const node of rig.nodes) {
      const row = await eventually(`${node.process.name}'s history`, async () => {
        const page = (await node.api("/api/assignments")) as { assignments: AssignmentRow[] };
        const [found] = page.assignments;
        return found?.state === "settled" && found.rewardBlind !== null ? found : undefined;
      });
      const leads = node.address === result.leader;
      expect(row).toMatchObject({
        node: node.address,
        role: leads ? "leader" : "verifier",
        outcome: "accepted",
        verdict: leads ? null : "CONFIRM",
        commitment: result.commitmentHash,
        outputCid: result.outputCid,
        grantTx: leads ? result.outputKeyStoreTx : null,
        rewardBlind: leads ? "0.6" : "0.2",
      });
      const states = leads ? ["published", "granted"] : ["matched"];
      for (const state of ["offered", "claimed", "answered", ...states, "submitted", "settled"]) {
        expect(row[`${state}At`], state).toBeTypeOf("number");
      }
    }
  });

  it("shows its timeline, and no wrapped key, in the API", async () => {
    const [node] = rig.nodes;
    const shown = JSON.stringify(await node?.api(`/api/assignments/${result.jobId}`));
    expect(shown).toContain("job.submitted");
    expect(shown).not.toContain('"outputKey"');
  });

  it("left nothing armed: no open job in any node", async () => {
    for (const node of rig.nodes) {
      expect(await node.api("/api/status")).toMatchObject({ nodes: [{ state: "running", openJobs: [] }] });
    }
  });

  it("left no plaintext in any node's state or log", async () => {
    const files = await allFiles(rig.stateDir);
    const nodes = files.filter(({ path }) => path.includes("/node-"));
    expect(nodes.length).toBeGreaterThan(6);
    for (const text of [PROMPT, "5f1c2ab79e", result.answer ?? "no answer"]) {
      expect(nodes.filter(({ bytes }) => bytes.includes(text)).map(({ path }) => path)).toEqual([]);
    }
  });

  it("wrote one JSON event a line to the log, without keys or tokens", async () => {
    expect(rig.log.length).toBeGreaterThan(10);
    const text = JSON.stringify(rig.log);
    for (const node of rig.nodes) {
      expect(text).not.toContain(node.privateKey.slice(2));
      expect(text).not.toContain(node.adminToken);
    }
  });
});
