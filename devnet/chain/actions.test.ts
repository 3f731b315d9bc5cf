import { createTestClient, http, parseEther, publicActions } from "viem";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { readActionView } from "../../core/chain/action-view.ts";
import { type ActionRequest, planAction } from "../../core/chain/actions.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { heartbeatCall } from "../../core/chain/calls.ts";
import { TransactionQueue } from "../../core/chain/queue.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import type { GuardedSigner } from "../../core/chain/signing-policy.ts";
import { chainHeartbeatDue } from "../../core/node/duties.ts";
import { systemClock } from "../../core/ports.ts";
import { type Anvil, startAnvil } from "./anvil.ts";
import { deployNetwork, fundAccount, type Network } from "./deploy.ts";
import { fundedSigner, memorySql } from "./queue-rig.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DAY_SEC = 86_400;
let anvil: Anvil;
let network: Network;
let client: ChainClient;
let signer: GuardedSigner;
let queue: TransactionQueue;
let ids: number;

const chain = () => createTestClient({ mode: "anvil", transport: http(anvil.rpcUrl) }).extend(publicActions);
const view = () => readActionView(client, network.addresses, signer.address);

async function later(seconds: number): Promise<void> {
  await chain().increaseTime({ seconds });
  await chain().mine({ blocks: 1 });
}

/** Plans and sends; gives the refusal, or the states of the steps. */
async function act(asked: Omit<ActionRequest, "id">, certHash: string | null = `0x${"ab".repeat(16)}`) {
  const request = { id: `action-${++ids}`, ...asked };
  const seen = await view();
  const expirySec = seen.chainSec + 1000 * DAY_SEC;
  const certificate = certHash === null ? null : { certHash, expirySec, tier: 0 };
  const plan = planAction(request, {
    node: signer.address,
    contracts: network.addresses,
    view: seen,
    certificate,
    models: ["groq:m"],
    stakeAmount: 1000,
  });
  if (!plan.ok) return plan.refusal.message;
  queue.enqueueAction(request.id, JSON.stringify(asked), plan.value);
  await queue.run();
  return queue.action(request.id).map(({ purpose, state, error }) => [purpose.split(":")[2], state, error]);
}

beforeAll(async () => {
  anvil = await startAnvil();
  network = await deployNetwork({ rpcUrl: anvil.rpcUrl });
  client = createChainClient({ rpcUrls: [anvil.rpcUrl], chainId: DEVNET });
});
afterAll(() => anvil?.stop());
beforeEach(async () => {
  ids = 0;
  const policy = { chainId: DEVNET, contracts: network.addresses, maxFeePerGasWei: 10n ** 10n };
  signer = await fundedSigner(anvil.rpcUrl, policy);
  await fundAccount(network, signer.address);
  const parts = { client, signer, clock: systemClock, log: () => undefined, onChange: () => undefined };
  queue = new TransactionQueue(memorySql(), parts);
});

describe("staking", () => {
  it("goes in with approval, waits out its 96 hours, and comes back whole", async () => {
    expect(await act({ action: "stake", amount: "1000.5" })).toEqual([
      ["approve", "confirmed", null],
      ["stake", "confirmed", null],
    ]);
    expect((await view()).stake).toMatchObject({ staked: parseEther("1000.5"), allowance: 0n });
    expect(await act({ action: "withdraw" })).toMatch(/nothing is unbonding/);
    expect(await act({ action: "unstake" })).toEqual([["unstake", "confirmed", null]]);
    expect(await act({ action: "unstake" })).toMatch(/unbonding already/);
    await later(95 * 3_600);
    expect(await act({ action: "withdraw" })).toMatch(/still unbonding: it can be withdrawn in (59 minutes|1 hour)/);
    await later(3_601);
    expect(await act({ action: "withdraw" })).toEqual([["withdraw", "confirmed", null]]);
    expect((await view()).stake).toMatchObject({ unbonding: 0n, balance: parseEther("10000") });
  });

  it("that the balance does not cover is refused before anything is sent", async () => {
    expect(await act({ action: "stake", amount: "10000.1" })).toMatch(/holds 10000 BLIND/);
    expect(await act({ action: "stake", amount: "999" })).toMatch(/at least 1000 BLIND/);
    expect(await client.getTransactionCount({ address: signer.address })).toBe(0);
  });

  it("stops after a step that came to nothing, with the contract's reason", async () => {
    const seen = await view();
    const request = { id: "action-late", action: "unstake" } as const;
    const stale = { ...seen, stake: seen.stake && { ...seen.stake, staked: 1n } };
    const parts = {
      node: signer.address,
      contracts: network.addresses,
      certificate: null,
      models: [],
      stakeAmount: 1000,
    };
    const first = planAction(request, { ...parts, view: stale });
    const second = planAction({ ...request, action: "stake" }, { ...parts, view: seen });
    queue.enqueueAction(request.id, "", [...(first.ok ? first.value : []), ...(second.ok ? second.value : [])]);
    await queue.run();
    expect(queue.action(request.id).map(({ state, error }) => [state, error])).toEqual([
      ["failed", expect.stringContaining("nothing staked")],
      ["cancelled", expect.stringContaining("came to nothing")],
      ["cancelled", expect.stringContaining("came to nothing")],
    ]);
    expect(await client.getTransactionCount({ address: signer.address })).toBe(0);
  });
});

describe("registration", () => {
  it("happens once, with the certificate's hash padded", async () => {
    expect(await act({ action: "register" }, null)).toMatch(/no certificate/);
    expect(await act({ action: "register" })).toEqual([["register", "confirmed", null]]);
    expect((await view()).registry).toMatchObject({
      registered: true,
      attestationHash: `0x${"ab".repeat(16)}${"00".repeat(16)}`,
      models: ["groq:m"],
    });
    expect(await act({ action: "register" })).toMatch(/registered already/);
    expect(await act({ action: "update-attestation" })).toMatch(/only the coordinator/);
  });

  it("is kept alive by a heartbeat that is due at ten days, a day before the grace ends", async () => {
    await act({ action: "register" });
    const due = async () => {
      const { registry, chainSec } = await view();
      return registry !== null && chainHeartbeatDue(registry.lastHeartbeatSec, registry.graceSec, chainSec);
    };
    await later(10 * DAY_SEC - 60);
    expect(await due()).toBe(false);
    await later(61);
    expect(await due()).toBe(true);
    const { registry } = await view();
    queue.enqueue(heartbeatCall(network.addresses.nodeRegistry, registry?.lastHeartbeatSec ?? 0), null);
    await queue.run();
    expect(await due()).toBe(false);
    await later(2 * DAY_SEC);
    expect((await view()).registry?.active).toBe(true);
  });
});
