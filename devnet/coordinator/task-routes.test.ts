import { describe, expect, it } from "vitest";
import { parseLossless } from "../../core/icl/json.ts";
import {
  hashOf,
  MODEL,
  NOW_SEC,
  OUTPUT_CID,
  PROMPT_CID,
  PROMPT_KEY,
  rigWithJob,
  storeOutputKey,
  USER,
} from "./test-rig.ts";

const HASH = hashOf("the answer");
const OTHER = hashOf("another answer");

/** The nodes have claimed; the leader's result and the verdicts are up to the test. */
async function claimedJob(options = {}) {
  const rig = await rigWithJob(options);
  for (const node of rig.nodes) await node.claim(rig.jobId);
  return rig;
}

describe("an offer", () => {
  it("has the protocol's fields, with handles as decimal strings", async () => {
    const { leader, first, jobId } = await rigWithJob();
    const offer = {
      jobId,
      modelId: MODEL,
      promptCid: PROMPT_CID,
      deadline: NOW_SEC + 600,
      insuranceOptIn: false,
      userAddress: USER.address,
      kpHighHandle: PROMPT_KEY.high.toString(),
      kpLowHandle: PROMPT_KEY.low.toString(),
    };
    expect(await leader.assignments()).toEqual([{ ...offer, role: "leader" }]);
    expect(await first.assignments()).toEqual([{ ...offer, role: "verifier" }]);
  });

  it("goes to verifiers at once, or late only after the leader's result", async () => {
    const { leader, first, jobId } = await rigWithJob({ verifiers: "late" });
    expect(await first.assignments()).toEqual([]);
    await leader.claim(jobId);
    expect(await first.assignments()).toEqual([]);
    await leader.result(jobId, HASH);
    expect(await first.assignments()).toMatchObject([{ jobId, role: "verifier" }]);
  });

  it("is not made again once claimed, nor after the deadline, nor to strangers", async () => {
    const { leader, first, jobId, clock, coordinator, node } = await rigWithJob();
    await leader.claim(jobId);
    expect(await leader.assignments()).toEqual([]);
    const stranger = node(7);
    await stranger.attest();
    expect(await stranger.assignments()).toEqual([]);
    clock.advanceSec(600);
    await coordinator.sweep();
    expect(await first.assignments()).toEqual([]);
  });

  it("may come from a cached list and name a job that was claimed since", async () => {
    const { leader, jobId, clock } = await rigWithJob({ listCacheSec: 15 });
    await leader.assignments();
    await leader.claim(jobId);
    expect(await leader.assignments()).toMatchObject([{ jobId }]);
    clock.advanceSec(15);
    expect(await leader.assignments()).toEqual([]);
  });
});

describe("a claim", () => {
  it("prints the handles as bare integers, which a plain JSON.parse would round", async () => {
    const { leader, jobId } = await rigWithJob();
    const { status, text } = await leader.claim(jobId);
    expect(status).toBe(200);
    expect(text).toMatch(/"kpHighHandle": ?\d{77},/);
    expect(parseLossless(text)).toEqual({
      kpHighHandle: PROMPT_KEY.high,
      kpLowHandle: PROMPT_KEY.low,
      outputKeyGranted: true,
      claimDeadline: NOW_SEC + 300,
    });
    expect(JSON.parse(text).kpHighHandle).toBe(Number(PROMPT_KEY.high));
  });

  it("of an unknown job is answered with both handles 0, whatever the case of the digits", async () => {
    const { leader, jobId } = await rigWithJob();
    for (const unknown of ["nope", jobId.toUpperCase(), jobId.slice(2)]) {
      expect(await leader.claim(unknown)).toMatchObject({ status: 200, json: { kpHighHandle: 0, kpLowHandle: 0 } });
    }
  });

  it("is refused to a node outside the quorum", async () => {
    const { node, jobId } = await rigWithJob();
    const stranger = node(7);
    await stranger.attest();
    expect((await stranger.claim(jobId)).status).toBe(403);
  });

  it("promises what it is told to promise, and never more than the window", async () => {
    const short = await rigWithJob({ claimDeadlineSec: 120 });
    expect((await short.leader.claim(short.jobId)).json.claimDeadline).toBe(NOW_SEC + 120);
    const long = await rigWithJob({ claimDeadlineSec: 900 });
    expect((await long.leader.claim(long.jobId)).json.claimDeadline).toBe(NOW_SEC + 300);
  });

  it("that runs out fails the node for the job, on chain too, and only once", async () => {
    const { leader, first, jobId, clock, chain, coordinator } = await claimedJob();
    clock.advanceSec(299);
    await coordinator.sweep();
    expect(coordinator.stats().failuresRecorded).toEqual([]);
    clock.advanceSec(1);
    await coordinator.sweep();
    await coordinator.sweep();
    await coordinator.idle();
    expect(chain.failures.get(leader.address)).toBe(1);
    expect(coordinator.stats().failuresRecorded).toHaveLength(3);
    expect(coordinator.stats().failuresRecorded[0]).toMatchObject({
      jobId,
      node: leader.address,
      tx: expect.stringMatching(/^0x/),
    });
    expect((await leader.claim(jobId)).status).toBe(409);
    expect((await leader.result(jobId, HASH)).status).toBe(409);
    expect((await first.verdict(jobId, HASH)).status).toBe(409);
  });

  it("made again restarts the window", async () => {
    const { leader, jobId, clock, coordinator } = await rigWithJob();
    await leader.claim(jobId);
    clock.advanceSec(200);
    expect((await leader.claim(jobId)).json.claimDeadline).toBe(NOW_SEC + 500);
    clock.advanceSec(299);
    await coordinator.sweep();
    expect(coordinator.stats().failuresRecorded).toEqual([]);
    clock.advanceSec(1);
    await coordinator.sweep();
    expect(coordinator.stats().failuresRecorded).toMatchObject([{ node: leader.address }]);
  });

  it("made again after the decision is answered, because its verdict is still owed", async () => {
    const { leader, first, second, jobId, coordinator } = await claimedJob();
    await leader.result(jobId, HASH);
    await first.verdict(jobId, HASH);
    expect(coordinator.stats().jobs[0]?.outcome).toBe("accepted");
    expect(await second.claim(jobId)).toMatchObject({ status: 200, json: { outputKeyGranted: true } });
    expect((await second.verdict(jobId, HASH)).status).toBe(200);
  });

  it("made for the first time after the decision is refused", async () => {
    const { leader, first, second, jobId } = await rigWithJob();
    await leader.claim(jobId);
    await first.claim(jobId);
    await leader.result(jobId, HASH);
    await first.verdict(jobId, HASH);
    expect((await second.claim(jobId)).status).toBe(409);
  });

  it("costs nothing where it was never made", async () => {
    const { clock, coordinator, chain, jobId, send } = await rigWithJob();
    clock.advanceSec(3_600);
    await coordinator.sweep();
    expect(chain.failures.size).toBe(0);
    expect((await send(`/v1/inference/${jobId}`)).json.status).toBe("TIMEDOUT");
  });

  it("that runs out while the chain is down is reported to it later", async () => {
    const { leader, chain, clock, coordinator } = await claimedJob();
    clock.advanceSec(300);
    chain.broken = true;
    await coordinator.sweep();
    expect(coordinator.stats().faults.length).toBeGreaterThan(0);
    chain.broken = false;
    clock.advanceSec(1);
    await coordinator.sweep();
    expect(chain.failures.get(leader.address)).toBe(1);
  });
});

describe("a result", () => {
  const faults: { name: string; more: object; status: number }[] = [
    { name: "a commitment with 0x", more: { commitment_hash: `0x${HASH}` }, status: 400 },
    { name: "a commitment in upper case", more: { commitment_hash: HASH.toUpperCase() }, status: 400 },
    { name: "a CID that is none", more: { output_cid: "bafkreinope" }, status: 400 },
    { name: "a handle in hex", more: { encrypted_output_key_high: "0x12" }, status: 400 },
    { name: "a handle as a number", more: { encrypted_output_key_high: 12 }, status: 400 },
    { name: "a handle of 0", more: { encrypted_output_key_low: "0" }, status: 400 },
    { name: "no handles", more: { encrypted_output_key_high: undefined }, status: 400 },
    {
      name: "inputs with other handles",
      more: { encrypted_output_key_inputs: { high: input("1"), low: input("2") } },
      status: 400,
    },
    { name: "a transaction that is not mined", more: { output_key_store_tx: `0x${"ab".repeat(32)}` }, status: 400 },
    { name: "another output key id", more: { output_key_store_job_id: `0x${"ab".repeat(32)}` }, status: 400 },
    { name: "fields of another protocol", more: { answer: "in plain" }, status: 400 },
  ];
  it.each(faults)("with $name is refused and nothing recorded", async ({ more, status }) => {
    const { leader, jobId } = await claimedJob();
    expect((await leader.result(jobId, HASH, more)).status).toBe(status);
    expect((await leader.status(jobId)).json).toMatchObject({ outputCid: null, leaderCommitment: null });
  });

  it("is taken with a transaction that stored this very key for the user", async () => {
    const rig = await claimedJob();
    const { leader, jobId, send } = rig;
    const tx = storeOutputKey(rig, jobId, leader.address);
    const answer = await leader.result(jobId, HASH, { output_key_store_tx: tx });
    expect(answer).toMatchObject({ status: 200, json: { status: "leader_result_recorded", finalized: false } });
    expect((await send(`/v1/inference/${jobId}`)).json).toMatchObject({
      output_key_store_tx: tx,
      output_cid: OUTPUT_CID,
    });
  });

  it.each([
    ["for another user", { user: "0x00000000000000000000000000000000000000AA" }],
    ["of other handles", { handles: { high: 1n, low: 2n } }],
    ["that reverted", { status: "reverted" }],
  ] as const)("is refused with a transaction %s", async (_, more) => {
    const rig = await claimedJob();
    const tx = storeOutputKey(rig, rig.jobId, rig.leader.address, more);
    const answer = await rig.leader.result(rig.jobId, HASH, { output_key_store_tx: tx });
    expect(answer).toMatchObject({ status: 400, json: { detail: expect.stringContaining("output_key_store_tx") } });
  });

  it("can be repeated, but not changed: a second hash is refused and put on record", async () => {
    const { leader, jobId, coordinator } = await claimedJob();
    expect((await leader.result(jobId, HASH)).json.status).toBe("leader_result_recorded");
    expect((await leader.result(jobId, HASH)).json.status).toBe("leader_result_recorded");
    expect(coordinator.stats().doubleCommitments).toEqual([]);
    expect((await leader.result(jobId, OTHER)).status).toBe(409);
    expect(coordinator.stats().doubleCommitments).toMatchObject([
      { jobId, node: leader.address, role: "leader", first: HASH, second: OTHER },
    ]);
  });

  it("is refused to verifiers, strangers, and a leader that did not claim", async () => {
    const { leader, first, node, jobId } = await rigWithJob();
    await first.claim(jobId);
    const stranger = node(7);
    await stranger.attest();
    expect((await first.result(jobId, HASH)).status).toBe(403);
    expect((await stranger.result(jobId, HASH)).status).toBe(403);
    expect((await leader.result(jobId, HASH)).status).toBe(409);
    expect((await leader.result("unknown", HASH)).status).toBe(404);
  });

  it("forgives earlier failures on chain", async () => {
    const { leader, jobId, chain, coordinator } = await claimedJob();
    chain.failures.set(leader.address, 2);
    await leader.result(jobId, HASH);
    await coordinator.idle();
    expect(chain.failures.has(leader.address)).toBe(false);
  });

  it("is refused for now while the chain cannot be asked about its transaction", async () => {
    const rig = await claimedJob();
    const tx = storeOutputKey(rig, rig.jobId, rig.leader.address);
    rig.chain.broken = true;
    expect((await rig.leader.result(rig.jobId, HASH, { output_key_store_tx: tx })).status).toBe(503);
  });
});

describe("a verdict", () => {
  it.each([
    ["a confidence with a fraction", "CONFIRM", 99.5],
    ["a confidence over 100", "CONFIRM", 101],
    ["a confidence as text", "CONFIRM", "100"],
    ["a verdict that is none", "MAYBE", 100],
  ])("with %s is refused", async (_, verdict, confidence) => {
    const { first, jobId } = await claimedJob();
    expect((await first.verdict(jobId, HASH, verdict as "CONFIRM", confidence)).status).toBe(400);
  });

  it("is taken before the leader's result and counts once that is there", async () => {
    const { leader, first, jobId, send } = await claimedJob();
    expect((await first.verdict(jobId, HASH)).json).toMatchObject({
      status: "verifier_verdict_recorded",
      finalized: false,
    });
    expect((await leader.result(jobId, HASH)).json).toMatchObject({ status: "committed", finalized: true });
    expect((await send(`/v1/inference/${jobId}`)).json).toMatchObject({ status: "ACCEPTED", confirmations: 2 });
  });

  it("counts by its hash: a REJECT with the leader's own confirms, a CONFIRM with another does not", async () => {
    const { leader, first, second, jobId, chain } = await claimedJob();
    await leader.result(jobId, HASH);
    await first.verdict(jobId, OTHER, "CONFIRM");
    expect((await leader.status(jobId)).json.status).toBe("QUEUED");
    expect((await second.verdict(jobId, HASH, "REJECT", 70)).json.status).toBe("committed");
    expect(chain.results).toMatchObject([{ resultHash: `0x${HASH}`, confirmCount: 1, rejectCount: 1, confidence: 70 }]);
  });

  it("is answered already_recorded when repeated, 409 with another hash, also after the decision", async () => {
    const { leader, first, second, jobId, coordinator } = await claimedJob();
    await first.verdict(jobId, HASH);
    expect((await first.verdict(jobId, HASH, "REJECT")).json.status).toBe("already_recorded");
    await leader.result(jobId, HASH);
    await second.verdict(jobId, HASH);
    expect((await second.verdict(jobId, HASH)).json).toMatchObject({ status: "already_recorded", finalized: true });
    expect((await second.verdict(jobId, OTHER)).status).toBe(409);
    expect(coordinator.stats().doubleCommitments).toMatchObject([{ node: second.address, first: HASH, second: OTHER }]);
  });

  it("is refused to the leader, to strangers, and unclaimed", async () => {
    const { leader, first, node, jobId } = await rigWithJob();
    await leader.claim(jobId);
    const stranger = node(7);
    await stranger.attest();
    expect((await leader.verdict(jobId, HASH)).status).toBe(403);
    expect((await stranger.verdict(jobId, HASH)).status).toBe(403);
    expect((await first.verdict(jobId, HASH)).status).toBe(409);
  });
});

describe("an internal status", () => {
  it("shows the leader's CID and commitment once they are there, and never a reason", async () => {
    const { leader, first, jobId } = await claimedJob();
    expect((await first.status(jobId)).json).toMatchObject({
      status: "QUEUED",
      outputCid: null,
      leaderCommitment: null,
    });
    await leader.result(jobId, HASH);
    expect((await first.status(jobId)).json).toMatchObject({
      jobId,
      outputCid: OUTPUT_CID,
      leaderCommitment: HASH,
      failureReason: null,
    });
  });

  it('may print an absent CID as the string "None"', async () => {
    const { first, jobId } = await claimedJob({ noneString: true });
    expect((await first.status(jobId)).json.outputCid).toBe("None");
  });

  it("is refused to strangers and for unknown jobs", async () => {
    const { leader, node, jobId } = await claimedJob();
    const stranger = node(7);
    await stranger.attest();
    expect((await stranger.status(jobId)).status).toBe(403);
    expect((await leader.status("unknown")).status).toBe(404);
  });
});

function input(ctHash: string) {
  return { ctHash, securityZone: 0, utype: 6, signature: "0x00" };
}
