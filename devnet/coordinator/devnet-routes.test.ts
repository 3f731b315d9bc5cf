import { describe, expect, it } from "vitest";
import { hashOf, jsonPost, NOW_SEC, rigWithJob } from "./test-rig.ts";

const HASH = hashOf("x");

describe("forgetting", () => {
  it("strict: every signed call is refused with 401 and the record is gone, until the node attests again", async () => {
    const { send, leader, jobId } = await rigWithJob();
    expect((await send("/devnet/forget", jsonPost({ mode: "strict" }))).json).toEqual({ forgotten: 3, mode: "strict" });
    expect((await leader.call(`/internal/assignments/${leader.address}`)).status).toBe(401);
    expect((await leader.heartbeat()).status).toBe(401);
    expect((await leader.claim(jobId)).status).toBe(401);
    expect((await send(`/v1/nodes/${leader.address}`)).status).toBe(404);
    expect((await leader.attest()).status).toBe(200);
    expect((await leader.heartbeat()).status).toBe(200);
    expect((await send(`/v1/nodes/${leader.address}`)).json).toMatchObject({ active: true });
  });

  it("silent: polls and heartbeats are answered as if nothing were wrong, and only the record tells", async () => {
    const { send, leader } = await rigWithJob();
    await send("/devnet/forget", jsonPost({ mode: "silent" }));
    expect(await leader.call(`/internal/assignments/${leader.address}`)).toMatchObject({
      status: 200,
      json: { assignments: [] },
    });
    expect(await leader.heartbeat()).toMatchObject({ status: 200, json: { status: "ok" } });
    expect((await send(`/v1/nodes/${leader.address}`)).status).toBe(404);
    await leader.attest();
    expect((await send(`/v1/nodes/${leader.address}`)).status).toBe(200);
  });

  it("loses challenges, and jobs unless they are kept", async () => {
    const lost = await rigWithJob();
    const { challengeId } = (await lost.leader.challenge()).json;
    await lost.send("/devnet/forget", jsonPost({}));
    expect((await lost.send(`/v1/inference/${lost.jobId}`)).status).toBe(404);
    const late = { nodeAddress: lost.leader.address, backendType: "mock", quote: "00", runtimeHash: HASH, challengeId };
    expect((await lost.leader.call("/internal/attestation/verify", late)).status).toBe(400);

    const kept = await rigWithJob();
    await kept.leader.claim(kept.jobId);
    await kept.send("/devnet/forget", jsonPost({ mode: "silent", keepJobs: true }));
    expect((await kept.leader.result(kept.jobId, HASH)).status).toBe(200);
  });

  it("refuses a mode that is none", async () => {
    const { send, coordinator } = await rigWithJob();
    expect((await send("/devnet/forget", jsonPost({ mode: "loud" }))).status).toBe(400);
    expect(coordinator.stats().nodes).toHaveLength(3);
  });
});

describe("stats", () => {
  it("tell each member's claims and commitment with their times, and what is on record", async () => {
    const { send, leader, first, jobId, clock } = await rigWithJob();
    await leader.claim(jobId);
    clock.advanceSec(5);
    await leader.result(jobId, HASH);
    await leader.result(jobId, hashOf("y"));
    const { json } = await send("/devnet/stats");
    expect(json).toMatchObject({
      nodes: [{ live: true }, { live: true }, { live: true }],
      jobs: [
        {
          job_id: jobId,
          status: "QUEUED",
          members: [
            {
              node: leader.address,
              role: "leader",
              claimsMs: [NOW_SEC * 1_000],
              commitment: { hash: HASH, atMs: (NOW_SEC + 5) * 1_000 },
            },
            { node: first.address, role: "verifier", claimsMs: [], commitment: null },
            { role: "verifier" },
          ],
        },
      ],
      doubleCommitments: [{ node: leader.address }],
      failuresRecorded: [],
      faults: [],
    });
  });
});

describe("the coordinator's edge", () => {
  it("answers /health, 404 for other routes, and misbehaves when told to", async () => {
    const { send, leader } = await rigWithJob();
    expect((await send("/health")).json).toEqual({ status: "ok", nodes: 3, jobs: 1 });
    expect((await send("/nothing")).status).toBe(404);
    await send("/devnet/faults", jsonPost({ path: "^/internal/heartbeat$", mode: "status", status: 500 }));
    expect((await leader.heartbeat()).status).toBe(500);
    expect((await leader.heartbeat()).status).toBe(200);
  });
});
