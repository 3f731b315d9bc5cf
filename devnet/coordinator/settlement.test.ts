import { describe, expect, it } from "vitest";
import { hashOf, rigWithJob } from "./test-rig.ts";

const HASH = hashOf("the answer");
const OTHER = hashOf("another answer");

async function claimedJob(options = {}, nodeCount = 3) {
  const rig = await rigWithJob(options, nodeCount);
  for (const node of rig.nodes) await node.claim(rig.jobId);
  return rig;
}

const publicStatus = async (rig: Awaited<ReturnType<typeof claimedJob>>) =>
  (await rig.send(`/v1/inference/${rig.jobId}`)).json.status;

describe("settlement", () => {
  it("commits an accepted result with the verifiers that answered, and pays those whose hash it is", async () => {
    const rig = await claimedJob();
    const { leader, first, second, jobId, chain, paid, coordinator } = rig;
    await leader.result(jobId, HASH);
    await first.verdict(jobId, HASH, "CONFIRM", 90);
    await coordinator.idle();
    expect(chain.results).toMatchObject([
      {
        taskId: jobId,
        leader: leader.address,
        verifiers: [first.address],
        confirmCount: 1,
        rejectCount: 0,
        confidence: 90,
      },
    ]);
    expect(paid.at(-1)).toMatchObject({
      jobId,
      outcome: "accepted",
      members: [
        { node: leader.address, role: "leader", part: "earned" },
        { node: first.address, role: "verifier", part: "earned" },
      ],
    });
    // The third one claimed in time and delivers late: it is recorded and paid, and nothing is committed again.
    expect((await second.verdict(jobId, HASH)).json).toMatchObject({ finalized: true });
    await coordinator.idle();
    expect(paid.at(-1)?.members).toHaveLength(3);
    expect(chain.results).toHaveLength(1);
  });

  it("waits for the third verifier as long as it is told to, and not once everyone has answered", async () => {
    const patient = await claimedJob({ waitForAllSec: 10 });
    await patient.leader.result(patient.jobId, HASH);
    expect((await patient.first.verdict(patient.jobId, HASH)).json.finalized).toBe(false);
    patient.clock.advanceSec(9);
    await patient.coordinator.sweep();
    expect(await publicStatus(patient)).toBe("QUEUED");
    patient.clock.advanceSec(1);
    await patient.coordinator.sweep();
    expect(await publicStatus(patient)).toBe("ACCEPTED");

    const complete = await claimedJob({ waitForAllSec: 10 });
    await complete.leader.result(complete.jobId, HASH);
    await complete.first.verdict(complete.jobId, HASH);
    expect((await complete.second.verdict(complete.jobId, HASH)).json.status).toBe("committed");
  });

  it("commits a rejection when too few are equal, and pays nobody", async () => {
    const rig = await claimedJob();
    const { leader, first, second, jobId, chain, paid, coordinator } = rig;
    await leader.result(jobId, HASH);
    await first.verdict(jobId, OTHER, "REJECT");
    expect((await second.verdict(jobId, OTHER, "REJECT")).json).toMatchObject({ status: "committed", finalized: true });
    await coordinator.idle();
    expect(await publicStatus(rig)).toBe("REJECTED");
    expect(chain.rejections).toMatchObject([{ taskId: jobId, verifiers: [first.address, second.address] }]);
    expect(chain.results).toEqual([]);
    expect(paid.at(-1)).toMatchObject({
      outcome: "rejected",
      members: [{ part: "lost" }, { part: "lost" }, { part: "lost" }],
    });
    expect(chain.failures.size).toBe(0);
  });

  it("times a job out when its leader fails, and gives the user the money back", async () => {
    const rig = await claimedJob();
    const { leader, first, second, jobId, clock, coordinator, paid, chain } = rig;
    await first.verdict(jobId, HASH);
    await second.verdict(jobId, HASH);
    clock.advanceSec(300);
    await coordinator.sweep();
    await coordinator.idle();
    expect(await publicStatus(rig)).toBe("TIMEDOUT");
    expect([...chain.failures]).toEqual([[leader.address, 1]]);
    expect(paid.at(-1)).toMatchObject({ outcome: "timedout" });
    expect([...chain.results, ...chain.rejections]).toEqual([]);
  });

  it("can go on showing QUEUED for a job that timed out, as the network does", async () => {
    const rig = await claimedJob({ queuedForever: true });
    rig.clock.advanceSec(600);
    await rig.coordinator.sweep();
    expect(await publicStatus(rig)).toBe("QUEUED");
    expect(rig.coordinator.stats().jobs).toMatchObject([{ outcome: "timedout" }]);
  });

  it("fails a verifier that claimed an accepted job and never delivered", async () => {
    const { leader, first, second, jobId, clock, coordinator, chain, paid } = await claimedJob();
    await leader.result(jobId, HASH);
    await first.verdict(jobId, HASH);
    clock.advanceSec(300);
    await coordinator.sweep();
    await coordinator.idle();
    expect([...chain.failures.keys()]).toEqual([second.address]);
    expect(paid.at(-1)?.members.at(-1)).toEqual({ node: second.address, role: "verifier", part: "lost" });
  });

  it("shows an outcome only once the chain has it, and tries again until then", async () => {
    const rig = await claimedJob();
    const { leader, first, jobId, chain, coordinator, paid } = rig;
    await leader.result(jobId, HASH);
    chain.broken = true;
    expect((await first.verdict(jobId, HASH)).json).toMatchObject({
      status: "verifier_verdict_recorded",
      finalized: false,
    });
    expect(await publicStatus(rig)).toBe("QUEUED");
    expect(paid).toEqual([]);
    chain.broken = false;
    await coordinator.sweep();
    await coordinator.idle();
    expect(await publicStatus(rig)).toBe("ACCEPTED");
    expect(chain.results).toHaveLength(1);
    expect(paid).toHaveLength(1);
  });

  it("reports a job to the payment service until that takes it", async () => {
    let outages = 2;
    const taken: string[] = [];
    const pay = async ({ jobId }: { jobId: string }) => {
      outages -= 1;
      if (outages >= 0) throw new Error("the payment service is down");
      taken.push(jobId);
    };
    const { leader, first, jobId, coordinator } = await claimedJob({ payment: { pay } });
    await leader.result(jobId, HASH);
    await first.verdict(jobId, HASH);
    for (let second = 0; second < 4; second++) {
      await coordinator.idle();
      await coordinator.sweep();
    }
    await coordinator.idle();
    expect(taken).toEqual([jobId]);
  });

  it("tells a slow chain of a failure once, and not again with every sweep", async () => {
    const { leader, first, second, clock, chain, coordinator } = await claimedJob();
    const told: string[] = [];
    let mine: () => void = () => {};
    const mined = new Promise<void>((resolve) => {
      mine = resolve;
    });
    chain.recordFailure = async (node) => {
      told.push(node);
      await mined;
      return "0x01";
    };
    clock.advanceSec(300);
    const sweeps = [coordinator.sweep()];
    for (let second = 0; second < 3; second++) {
      clock.advanceSec(1);
      sweeps.push(coordinator.sweep());
    }
    mine();
    await Promise.all(sweeps);
    await coordinator.sweep();
    expect(told).toEqual([leader, first, second].map(({ address }) => address));
  });

  it("needs four of five equal hashes", async () => {
    const rig = await claimedJob({}, 5);
    const [leader, ...verifiers] = rig.nodes;
    await leader?.result(rig.jobId, HASH);
    const statuses: unknown[] = [];
    for (const verifier of verifiers.slice(0, 3)) {
      await verifier.verdict(rig.jobId, HASH);
      statuses.push(await publicStatus(rig));
    }
    expect(statuses).toEqual(["QUEUED", "QUEUED", "ACCEPTED"]);
  });
});
