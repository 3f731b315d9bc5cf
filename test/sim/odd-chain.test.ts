/** Faults of the chain that are no single call's (odd-cases.ts), each on the real node in simulated time. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { setFailpointHook } from "../../core/failpoint.ts";
import { type SimChain, startChain } from "./chain.ts";
import { ODD_CASES, type OddCaseName } from "./odd-cases.ts";
import { closeWorld, control, ended, live as liveOn, MINUTE_MS, MODEL, told } from "./one-node.ts";
import { pass } from "./platform/time.ts";
import type { WorldOptions } from "./world.ts";

let chain: SimChain;

beforeAll(async () => {
  chain = await startChain();
});
afterEach(() => {
  setFailpointHook(null);
  closeWorld();
});
afterAll(() => chain.stop());

/** Code that reverts with InvalidSignature(). */
const REVERTS = "0x638baa579f6000526004601cfd";

const live = (options: Omit<WorldOptions, "chain"> = {}) => liveOn({ chain, ...options });
const expected = (name: OddCaseName) => ODD_CASES[name].job;

describe("the chain", () => {
  it("reorganised chain", async () => {
    const { at, node } = await live();
    const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
    expect(await ended(at, node, jobId)).toBe(expected("reorganised chain"));
    const hash = node.job(jobId)?.grantTx;
    await control(chain, "anvil_rollback", 1);
    expect(await control(chain, "eth_getTransactionReceipt", hash)).toBeNull();
    await pass(2 * MINUTE_MS);
    expect(await control(chain, "eth_getTransactionReceipt", hash)).toMatchObject({ status: "0x1" });
    expect(told(node, "transaction.reorganised")).toHaveLength(1);
  });

  it("early reorganisation", async () => {
    const { at, node } = await live();
    let dropped = false;
    setFailpointHook(async (name) => {
      if (name !== "submit.begun" || dropped) return;
      dropped = true;
      await control(chain, "anvil_rollback", 1);
    });
    const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
    expect(await ended(at, node, jobId)).toBe(expected("early reorganisation"));
    await pass(2 * MINUTE_MS);
    expect(told(node, "transaction.reorganised")).toHaveLength(1);
    expect(node.transactions()).toMatchObject([{ state: "confirmed" }]);
    expect(await control(chain, "eth_getTransactionReceipt", node.transactions()[0]?.hash)).toMatchObject({
      status: "0x1",
    });
  });

  it.each([
    ["reverted transaction", "InvalidSignature"],
    ["reverted in silence", "unknown"],
  ] as const)("%s", async (name, reason) => {
    const { at, node } = await live();
    const store = chain.contracts.promptKeyStore;
    const code = await control(chain, "eth_getCode", store, "latest");
    setFailpointHook(async (point) => {
      if (point === "transaction.signed") await control(chain, "anvil_setCode", store, REVERTS);
    });
    if (name === "reverted in silence") {
      node.doors.faults.rpc.arm({ path: "^/eth_getTransactionByHash", mode: "status", status: 500, count: 1_000 });
    }
    try {
      const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
      expect(await ended(at, node, jobId)).toBe(expected(name));
      expect(node.job(jobId)?.failure?.message).toBe(reason);
      await pass(MINUTE_MS);
      expect(node.transactions()).toMatchObject([{ state: "reverted" }]);
    } finally {
      await control(chain, "anvil_setCode", store, code);
    }
  });

  const HIGH = "0x174876e8000";
  const LOW = "0x3b9aca00";

  /** The base fee rises between signing and sending. Checked, because it may take the chain a moment to price by it. */
  const spike = (jobs: { signed: number }) =>
    setFailpointHook(async (name) => {
      if (name !== "transaction.signed") return;
      jobs.signed += 1;
      await control(chain, "anvil_setNextBlockBaseFeePerGas", HIGH);
      await control(chain, "evm_mine");
      for (let look = 0; look < 100; look++) {
        if (BigInt(String(await control(chain, "eth_gasPrice"))) > BigInt(HIGH) / 2n) return;
      }
      throw new Error("the base fee did not rise");
    });

  const calm = async () => {
    await control(chain, "anvil_setNextBlockBaseFeePerGas", LOW);
    await control(chain, "evm_mine");
  };

  it.each([
    ["gas price spike", 30],
    ["lasting gas price spike", 200],
  ] as const)("%s", async (name, seconds) => {
    const { at, node } = await live({ coordinator: { jobDeadlineSec: 180 } });
    const jobs = { signed: 0 };
    spike(jobs);
    const jobId = await at.ask({ node, role: "leader", modelId: MODEL });
    await pass(seconds * 1_000);
    const lasts = name === "lasting gas price spike";
    expect(node.job(jobId)?.state).toBe(lasts ? "failed" : "published");
    expect(told(node, "node.held").map(({ code }) => code)).toEqual(lasts ? ["transactions"] : []);
    await calm();
    expect(await ended(at, node, jobId)).toBe(expected(name));
    expect(jobs.signed).toBe(1);
    await pass(MINUTE_MS);
    expect(node.transactions()).toMatchObject([{ state: "confirmed" }]);
  });
});
