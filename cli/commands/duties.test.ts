import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeNode, NODE, startFakeNode } from "../fake-node.ts";
import { inProcess } from "../in-process.ts";

let node: FakeNode;
beforeEach(async () => {
  node = await startFakeNode();
});
afterEach(() => node.close());

const done = { body: { nodes: [{ node: NODE, ok: true }] } };

it.each([
  ["attest", /: attested$/],
  ["pause", /: paused: it claims nothing, its heartbeats go on$/],
  ["resume", /: running: it claims again$/],
  ["drain", /: draining: it finishes what it has claimed, then pauses$/],
  ["poll", /: asked for assignments$/],
])("%s tells the node, once, and says what came of it", async (duty, line) => {
  node.answer(`POST /api/${duty}`, done);
  const { code, stdout, stderr } = await inProcess([duty], node.env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trim()).toMatch(line);
  expect(node.asked).toMatchObject([{ method: "POST", path: `/api/${duty}`, body: {} }]);
});

it("passes the node that is meant and the reason of a pause on", async () => {
  node.answer("POST /api/pause", done);
  await inProcess(["pause", "--node", NODE, "--reason", "moving house"], node.env);
  expect(node.asked[0]?.body).toEqual({ node: NODE, reason: "moving house" });
});

it("ends with 1 and the first reason where a node could not, and shows each node all the same", async () => {
  const failure = { code: "attestation", message: "the coordinator refused the quote", hint: "Check BLF_TIER." };
  const body = {
    nodes: [
      { node: NODE, ok: true },
      { node: "0xother", ok: false, failure },
    ],
  };
  node.answer("POST /api/attest", { status: 502, body });
  const told = await inProcess(["attest"], node.env);
  expect(told.code).toBe(1);
  expect(told.stdout).toBe(`${NODE}: attested\n0xother: attestation: the coordinator refused the quote\n`);
  expect(told.stderr).toMatch(/attest failed for 1 of 2 nodes: the coordinator refused.*\n {2}fix: Check BLF_TIER\./);
  const asJson = await inProcess(["attest", "--json"], node.env);
  expect({ code: asJson.code, said: JSON.parse(asJson.stdout) }).toEqual({ code: 1, said: body });
});

it("attests by no other way than the node's own, and asks it first", async () => {
  node.answer("GET /api/status", {
    body: { nodes: [{ address: NODE, state: "running", attestationBackend: "mock" }] },
  });
  node.answer("POST /api/attest", done);
  expect(await inProcess(["attest", "--tdx"], node.env)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("BLF_ATTESTATION_BACKEND=tdx"),
  });
  expect(node.asked.map(({ method }) => method)).toEqual(["GET"]);
  expect(await inProcess(["attest", "--mock"], node.env)).toMatchObject({ code: 0 });
  expect(await inProcess(["attest", "--mock", "--tpm"], node.env)).toMatchObject({ code: 2 });
});

it("sends nothing to a node without its token here", async () => {
  const { code, stderr } = await inProcess(["pause"], { ...node.env, BLF_ADMIN_TOKEN: "" });
  expect(code).toBe(2);
  expect(stderr).toMatch(/BLF_ADMIN_TOKEN is not set here/);
  expect(node.asked).toEqual([]);
});
