/** Whether the fault matrix knows every call: a node that does all that a node does, held against the table. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { setFailpointHook } from "../../core/failpoint.ts";
import { unasked, unlisted } from "./calls.ts";
import { type SimChain, startChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { crashes } from "./matrix.ts";
import { closeWorld, control, ended } from "./one-node.ts";
import { pass } from "./platform/time.ts";
import { World } from "./world.ts";

const MODELS = [...new Set(ENDPOINTS.map(({ model }) => model))];
/** Code that reverts without a reason. */
const REVERTS = "0x60006000fd";

let chain: SimChain;
let world: World | undefined;

beforeAll(async () => {
  chain = await startChain();
});
afterEach(() => {
  setFailpointHook(null);
  closeWorld();
  world?.close();
  world = undefined;
});
afterAll(() => chain.stop());

/** A node that serves every model, on a local server whose context is short. */
async function busyNode(): Promise<{ at: World; node: Deployment }> {
  const at = await World.open({ chain, contextTokens: 1_024 });
  world = at;
  const node = at.deploy({ index: 0, models: MODELS });
  await at.untilLive();
  await pass(20_000);
  await at.joinPeers(MODELS);
  return { at, node };
}

/** The RPC node fails for some calls, and the last job's transaction reverts. */
async function troubles(at: World, node: Deployment): Promise<void> {
  node.doors.faults.rpc.arm({ path: "^/eth_getTransactionCount$", mode: "status", status: 503, count: 100 });
  await ended(at, node, await at.ask({ node, role: "leader", modelId: "mock:demo" }));
  const store = chain.contracts.promptKeyStore;
  const code = await control(chain, "eth_getCode", store, "latest");
  setFailpointHook(async (point) => {
    if (point === "transaction.signed") await control(chain, "anvil_setCode", store, REVERTS);
  });
  await ended(at, node, await at.ask({ node, role: "leader", modelId: "mock:demo" }));
  await control(chain, "anvil_setCode", store, code);
}

it("has rows for every call that a node makes, and for no other", async () => {
  const { at, node } = await busyNode();
  for (const modelId of MODELS) {
    expect(await ended(at, node, await at.ask({ node, role: "leader", modelId }))).toBe("accepted");
    expect(await ended(at, node, await at.ask({ node, role: "verifier", modelId }))).toBe("accepted");
  }
  await troubles(at, node);
  await node.fetch("/api/earnings");
  await pass(660_000);
  expect(unlisted(node.doors.asked, chain.contracts)).toEqual([]);
  expect(unasked(node.doors.asked, chain.contracts)).toEqual([]);
  expect(crashes(node)).toEqual([]);
});

it("notices a call without a row, and a row without a call", () => {
  expect(unlisted(["icl GET /internal/assignments/0x1", "icl GET /internal/gossip"], chain.contracts)).toEqual([
    "icl GET /internal/gossip",
  ]);
  expect(unlisted(["icl POST /internal/assignments/0x1"], chain.contracts)).toHaveLength(1);
  expect(unasked(["icl GET /internal/assignments/0x1"], chain.contracts)).toHaveLength(ENDPOINTS.length + 2);
});
