import { afterEach, beforeEach, expect, it } from "vitest";
import { ADMIN_TOKEN, type FakeNode, NODE, startFakeNode } from "../fake-node.ts";
import { inProcess } from "../in-process.ts";

let node: FakeNode;
beforeEach(async () => {
  node = await startFakeNode();
});
afterEach(() => node.close());

const whole = () => ({
  version: "0.1.0",
  testnet: true,
  configured: true,
  faults: [
    { setting: "BLF_STORAGE_KEY", code: "missing", severity: "warning", message: "It is not set.", fix: "Set it." },
  ],
  nodes: [
    {
      address: NODE,
      state: "paused",
      holds: [{ code: "failures", blocks: "everything", reason: "two jobs failed", hint: "Resume it.", sinceMs: 1 }],
      failures: { inARow: 2, own: 2, chain: 1, onProbation: true, recent: [] },
      dependencies: [],
      executor: "edge",
      attestationBackend: "mock",
      tier: 0,
      certificate: { certHash: "0xabc", expiresAtSec: 9, secondsLeft: 90_000 },
      lastPollAtMs: Date.now() - 5_000,
      lastHeartbeatAtMs: null,
      models: ["groq:llama-3.3-70b-versatile"],
      roles: ["leader", "verifier"],
      slots: { total: 8, open: 1 },
      openJobs: [{ jobId: "0xjob", role: "leader", modelId: "groq:llama-3.3-70b-versatile", state: "claimed" }],
      lastError: { code: "model", message: "no answer", hint: "Look at the backend.", atMs: Date.now() - 60_000 },
      clockSkewMs: -2_000,
    },
  ],
});

it("says everything that a node tells of itself, and asks with the token in the header only", async () => {
  node.answer("GET /api/status", { body: whole() });
  const { code, stdout, stderr } = await inProcess(["status"], node.env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const line of [
    /^Blindference Edge 0\.1\.0 at http:.* \(testnet only\)$/m,
    /^warning: BLF_STORAGE_KEY: It is not set\.\n {2}fix: Set it\.$/m,
    new RegExp(`^${NODE} {2}paused$`, "m"),
    /certificate +tier 0, 1 day 1 hour left \(0xabc\)$/m,
    /last poll +\d seconds ago$/m,
    /last heartbeat +never$/m,
    /jobs +1 open of 8 slots$/m,
    /2 of the 3 that take the stake \(1 on chain\), one job at a time/,
    /clock +2 seconds off$/m,
    /0xjob {2}leader {2}groq:llama-3\.3-70b-versatile {2}claimed$/m,
    /failures: two jobs failed; unclaimed meanwhile: everything\n {4}fix: Resume it\.$/m,
    /last error 1 minute ago: model: no answer\n {4}fix: Look at the backend\.$/m,
  ]) {
    expect(stdout).toMatch(line);
  }
  expect(node.asked).toMatchObject([{ query: {}, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } }]);
});

it("leaves out what a node of another version does not say, and makes nothing up", async () => {
  node.answer("GET /api/status", { body: { nodes: [{ address: NODE, state: "running" }] } });
  const { code, stdout } = await inProcess(["status"], node.env);
  expect(code).toBe(0);
  expect(stdout.trim().split("\n").slice(1)).toEqual(["", `${NODE}  running`]);
});

it("gives with --json exactly what the node said, what it does not know included", async () => {
  const body = { nodes: [{ address: NODE, state: "running", news: { of: "a later version" } }] };
  node.answer("GET /api/status", { body });
  const { stdout } = await inProcess(["status", "--json"], node.env);
  expect(JSON.parse(stdout)).toEqual(body);
});

it("asks about one node where one is named, and says where none is configured", async () => {
  node.answer("GET /api/status", { body: { version: "0.1.0", nodes: [] } });
  expect((await inProcess(["status", "--node", NODE], node.env)).stdout).toContain("No node is configured yet");
  expect(node.asked[0]?.query).toEqual({ node: NODE });
});

it("refuses an answer that is no status", async () => {
  node.answer("GET /api/status", { body: { nodes: [{ state: "running" }] } });
  const { code, stdout, stderr } = await inProcess(["status"], node.env);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/not what this version understands/);
});
