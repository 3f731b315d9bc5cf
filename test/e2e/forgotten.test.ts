import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { untilLive } from "../../devnet/edge-nodes.ts";
import { eventually } from "../eventually.ts";
import { addressesOf, type Rig, startRig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({ models: ["mock:demo"] });
});

afterAll(() => rig.stop());

async function forget(mode: "strict" | "silent", keepJobs = false): Promise<void> {
  const response = await fetch(`${rig.network.urls.icl}/devnet/forget`, {
    method: "POST",
    body: JSON.stringify({ mode, keepJobs }),
  });
  expect(response.ok).toBe(true);
  expect(rig.network.coordinator.stats().nodes).toEqual([]);
}

/** The coordinator has them again, and each node has written so: its line may come after the coordinator's answer. */
async function untilToldAgain(before: number): Promise<void> {
  await untilLive(rig.network, addressesOf(rig.nodes));
  await eventually("a new certificate for each node", () => {
    const issued = rig.log.slice(before).filter(({ line }) => line.event === "certificate.issued");
    return new Set(issued.map(({ node }) => node)).size === rig.nodes.length ? issued : undefined;
  });
}

describe.each(["strict", "silent"] as const)("a coordinator that forgot its nodes, %s", (mode) => {
  it("is told of them again by themselves, and the next job is accepted", async () => {
    const before = rig.log.length;
    await forget(mode);
    await untilToldAgain(before);
    const told = rig.log.slice(before).map(({ line }) => line.event);
    expect(told.filter((event) => event === "coordinator.forgot")).toHaveLength(3);
    const result = await rig.ask("mock:demo", `After a ${mode} restart`);
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
  });
});

describe.each(["strict", "silent"] as const)(
  "a coordinator that forgot its nodes in the middle of a job, %s",
  (mode) => {
    it("gets every word of the job all the same, and the user the answer", async () => {
      const before = rig.log.length;
      const asked = rig.ask("mock:demo", `Forgotten in the middle, ${mode}`);
      await eventually("the first claim", () => rig.log.slice(before).find(({ line }) => line.event === "job.claimed"));
      await forget(mode, true);
      expect(await asked).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
      await untilToldAgain(before);
      expect(rig.log.slice(before).filter(({ line }) => line.event === "job.failed")).toEqual([]);
      expect(rig.network.coordinator.stats().doubleCommitments).toEqual([]);
    });
  },
);

describe("a node that is killed and started again on its state", () => {
  it("is live again without a new certificate, and takes part in the next job", async () => {
    const before = rig.log.length;
    await rig.restart(1);
    const result = await rig.ask("mock:demo", "After a kill");
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    const issued = rig.log.slice(before).filter(({ line }) => line.event === "certificate.issued");
    expect(issued).toEqual([]);
  });
});
