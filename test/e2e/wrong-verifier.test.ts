import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import { DEVNET_WRONG_MODEL_KEY, modelSettings } from "../../devnet/network.ts";
import type { UserResult } from "../../devnet/user/user.ts";
import { eventually } from "../eventually.ts";
import { type Rig, startRig } from "./rig.ts";

const MODEL = "groq:llama-3.3-70b-versatile";
const WRONG = 2;

let rig: Rig;
const results: UserResult[] = [];
/** What held the wrong node after each round. */
const held: string[][] = [];

beforeAll(async () => {
  rig = await startRig({
    models: [MODEL],
    env: (network, index) => ({
      ...modelSettings(network, "groq"),
      ...(index === WRONG ? { GROQ_API_KEY: DEVNET_WRONG_MODEL_KEY } : {}),
    }),
  });
  for (let round = 0; round < 3; round++) {
    results.push(await rig.ask(MODEL, `Round ${round}: who is right?`));
    // Two lost jobs in a row stop a node until its operator says otherwise.
    await eventually("the wrong node's count", async () => {
      const { nodes } = (await wrongNode().api("/api/status")) as { nodes: { failures: { inARow: number } }[] };
      return nodes[0]?.failures.inARow === round + 1 ? true : undefined;
    });
    held.push(await holdsOf(wrongNode()));
    await wrongNode().api("/api/resume", { method: "POST" });
  }
});

afterAll(() => rig.stop());

async function holdsOf(node: EdgeNode): Promise<string[]> {
  const { nodes } = (await node.api("/api/status")) as { nodes: { holds: { code: string }[] }[] };
  return (nodes[0]?.holds ?? []).map(({ code }) => code);
}

function wrongNode() {
  const node = rig.nodes[WRONG];
  if (node === undefined) throw new Error("no such node");
  return node;
}

describe("a node whose model answers differently", () => {
  it("says REJECT as a verifier, with its own hash, and the other two win", async () => {
    const outvoted = results.filter((result) => result.leader !== wrongNode().address);
    expect(outvoted).toHaveLength(2);
    for (const result of outvoted) {
      expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 2 });
      const job = rig.network.coordinator.stats().jobs.find((one) => one.job_id === result.jobId);
      const theirs = job?.commitments.find((one) => one.node_address === wrongNode().address);
      expect(theirs?.verdict).toBe("REJECT");
      expect(theirs?.commitment_hash).not.toBe(result.commitmentHash);
    }
  });

  it("is rejected by both others as a leader, and its answer is not accepted", () => {
    const led = results.find((result) => result.leader === wrongNode().address);
    expect(led?.status).toBe("REJECTED");
    const job = rig.network.coordinator.stats().jobs.find((one) => one.job_id === led?.jobId);
    expect(job?.commitments.filter((one) => one.role === "verifier").map((one) => one.verdict)).toEqual([
      "REJECT",
      "REJECT",
    ]);
  });

  it("is stopped by its own count before a third loss, and again by the first one after the operator's resume", () => {
    expect(held).toEqual([[], ["failures"], ["failures"]]);
  });

  it("sees its own lost jobs settled, each node with one commitment a job", async () => {
    await eventually("the wrong node's history", async () => {
      const { assignments } = (await wrongNode().api("/api/assignments")) as {
        assignments: { state: string; outcome: string }[];
      };
      return assignments.length === 3 && assignments.every((row) => row.state === "settled") ? true : undefined;
    });
    expect(rig.network.coordinator.stats().doubleCommitments).toEqual([]);
  });
});
