import { keccak256, toHex } from "viem";
import { describe, expect, it } from "vitest";
import {
  createRig,
  hashOf,
  jsonPost,
  MODEL,
  NOW_SEC,
  PROMPT_CID,
  PROMPT_KEY,
  requestBody,
  rigWithJob,
} from "./test-rig.ts";

const preview = `/v1/inference/quorum-preview?model_id=${encodeURIComponent(MODEL)}&min_tier=0&verifier_count=2&zdr_required=false`;

async function rigWithNodes(count: number) {
  const rig = createRig();
  const nodes = Array.from({ length: count }, (_, index) => rig.node(index));
  for (const node of nodes) await node.attest();
  return { ...rig, nodes, addresses: nodes.map(({ address }) => address) };
}

describe("quorum-preview", () => {
  it("lets everyone lead in turn, with all the others as candidates", async () => {
    const { send, addresses } = await rigWithNodes(4);
    const leaders = [];
    for (let turn = 0; turn < 8; turn++) {
      const { json } = await send(preview);
      const { leader, verifiers, candidates } = json as { leader: string; verifiers: string[]; candidates: string[] };
      expect(new Set([leader, ...verifiers]).size).toBe(3);
      expect([...candidates].sort()).toEqual([...addresses].sort());
      leaders.push(leader);
    }
    expect(leaders.slice(0, 4).sort()).toEqual([...addresses].sort());
    expect(leaders.slice(4)).toEqual(leaders.slice(0, 4));
  });

  it("leaves out nodes without the model, and those silent for 300 s", async () => {
    const { send, nodes, node, clock } = await rigWithNodes(3);
    await node(9).attest(["mock:other"]);
    expect((await send(preview)).json.candidates).toHaveLength(3);
    clock.advanceSec(299);
    for (const live of nodes.slice(1)) await live.heartbeat();
    expect((await send(preview)).status).toBe(200);
    clock.advanceSec(1);
    expect(await send(preview)).toMatchObject({
      status: 503,
      json: { detail: expect.stringContaining("3 live nodes") },
    });
    await nodes[0]?.heartbeat();
    expect((await send(preview)).status).toBe(200);
  });

  it("refuses a query that names no model", async () => {
    const { send } = await rigWithNodes(3);
    expect((await send("/v1/inference/quorum-preview?verifier_count=2")).status).toBe(400);
  });
});

describe("upload-prompt", () => {
  it("stores the file's bytes and gives their CID", async () => {
    const added: Uint8Array[] = [];
    const add = async (bytes: Uint8Array<ArrayBuffer>) => {
      added.push(bytes);
      return PROMPT_CID;
    };
    const rig = createRig({ ipfs: { add } });
    const body = new FormData();
    body.append("file", new Blob([Uint8Array.of(1, 2, 3)]), "prompt");
    expect(await rig.send("/v1/inference/upload-prompt", { method: "POST", body })).toMatchObject({
      status: 200,
      json: { cid: PROMPT_CID },
    });
    expect(added).toEqual([Uint8Array.of(1, 2, 3)]);
  });

  it("refuses anything but a file", async () => {
    const { send } = createRig();
    const body = new FormData();
    body.append("file", "text");
    expect((await send("/v1/inference/upload-prompt", { method: "POST", body })).status).toBe(400);
    expect((await send("/v1/inference/upload-prompt", { method: "POST", body: "x" })).status).toBe(400);
  });
});

describe("a request", () => {
  const taskId = keccak256(toHex("a task"));
  const post = "/v1/inference/requests";

  it("becomes a job under the user's own task id, its handles read from the chain", async () => {
    const { send, chain, addresses, nodes } = await rigWithNodes(3);
    chain.promptKeys.set(taskId, { high: 11n, low: 22n });
    const { status, json } = await send(post, jsonPost(requestBody(taskId, addresses)));
    expect(status).toBe(200);
    expect(json).toMatchObject({
      job_id: taskId,
      status: "QUEUED",
      leader_address: addresses[0],
      deadline: NOW_SEC + 600,
    });
    expect(await nodes[0]?.assignments()).toMatchObject([{ jobId: taskId, kpHighHandle: "11", kpLowHandle: "22" }]);
  });

  it("without a task id gets one of 64 digits without 0x, and brings its own handles", async () => {
    const { send, addresses, nodes, coordinator } = await rigWithNodes(3);
    const { json } = await send(post, jsonPost(requestBody(null, addresses)));
    const jobId = String(json.job_id);
    expect(jobId).toMatch(/^[0-9a-f]{64}$/);
    expect(await nodes[1]?.assignments()).toMatchObject([{ jobId, kpHighHandle: String(PROMPT_KEY.high) }]);
    expect((await nodes[1]?.claim(`0x${jobId}`))?.json).toMatchObject({ kpHighHandle: 0 });
    expect(coordinator.stats().jobs).toMatchObject([{ job_id: jobId, task_id: `0x${jobId}` }]);
  });

  it("repeated is the same job; another one under its task id is refused", async () => {
    const { send, jobId, nodes, leader } = await rigWithJob();
    await leader.claim(jobId);
    await leader.result(jobId, hashOf("x"));
    const same = requestBody(
      jobId,
      nodes.map(({ address }) => address),
    );
    expect((await send(post, jsonPost(same))).json).toMatchObject({ job_id: jobId, output_cid: expect.any(String) });
    const other = {
      ...same,
      leader_address: same.verifier_addresses[0],
      verifier_addresses: [same.leader_address, same.verifier_addresses[1]],
    };
    expect((await send(post, jsonPost(other))).status).toBe(409);
  });

  it("is refused when the chain has no key, and for now when the chain is down", async () => {
    const { send, chain, addresses } = await rigWithNodes(3);
    const body = jsonPost(requestBody(taskId, addresses));
    expect(await send(post, body)).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining("prompt key") },
    });
    chain.broken = true;
    expect((await send(post, body)).status).toBe(503);
  });

  it.each([
    ["a member twice", (a: string[]) => ({ leader_address: a[1] }), 400],
    ["fewer verifiers than it says", () => ({ verifier_count: 3 }), 400],
    ["a member that is no node", () => ({ leader_address: "0x00000000000000000000000000000000000000AA" }), 409],
    [
      "a model that the members lack",
      () => ({ model_id: "mock:x", text_request: { ...requestBody(null, []).text_request, model_id: "mock:x" } }),
      409,
    ],
    ["a tier that the members lack", () => ({ min_tier: 2 }), 409],
    ["two models", () => ({ model_id: "mock:x" }), 400],
    ["a CID that is none", () => ({ text_request: { ...requestBody(null, []).text_request, prompt_cid: "x" } }), 400],
    ["another mode", () => ({ mode: "risk" }), 400],
  ])("with %s is refused", async (_, more, status) => {
    const { send, chain, addresses, coordinator } = await rigWithNodes(3);
    chain.promptKeys.set(taskId, PROMPT_KEY);
    expect((await send(post, jsonPost(requestBody(taskId, addresses, more(addresses))))).status).toBe(status);
    expect(coordinator.stats().jobs).toEqual([]);
  });
});

describe("a node's record", () => {
  it("counts its tasks and shows when it was last heard of", async () => {
    const { send, leader, first, second, jobId, nodes } = await rigWithJob();
    for (const node of nodes) await node.claim(jobId);
    await leader.result(jobId, hashOf("x"));
    await first.verdict(jobId, hashOf("x"));
    expect((await send(`/v1/nodes/${leader.address}`)).json).toMatchObject({
      operator_address: leader.address,
      active: true,
      model_tiers: { [MODEL]: 0 },
      metrics: { tasks_completed: 1, tasks_accepted: 1, tasks_rejected: 0, last_heartbeat: NOW_SEC },
    });
    expect((await send(`/v1/nodes/${second.address}`)).json).toMatchObject({ metrics: { tasks_completed: 0 } });
    expect((await send(`/v1/nodes/${leader.address.toLowerCase()}`)).status).toBe(404);
  });
});
