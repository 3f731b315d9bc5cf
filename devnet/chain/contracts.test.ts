import { type Address, createTestClient, encodeFunctionData, http, parseEther, publicActions } from "viem";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeRegistryAbi, promptKeyStoreAbi, resultRegistryAbi, stakingAbi, tokenAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import * as calls from "../../core/chain/calls.ts";
import { readNodeView } from "../../core/chain/reads.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import type { Signer } from "../../core/signer.ts";
import { DEV_ROLES, devAccount, nodeIndex } from "./accounts.ts";
import { type Anvil, startAnvil } from "./anvil.ts";
import { deployNetwork, type NetworkAddresses } from "./deploy.ts";
import { sendCall } from "./send.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const icl = devAccount(DEV_ROLES.icl);
const owner = devAccount(DEV_ROLES.deployer);
const HOUR = 3_600;
const DAY = 24 * HOUR;
const STAKE = parseEther("1000");
const TASK = `0x${"7a".repeat(32)}` as const;
const MODEL = `0x${"6d".repeat(32)}` as const;

let anvil: Anvil;
let client: ChainClient;
let at: NetworkAddresses;
let nextNode = 0;
let node: Signer;

beforeAll(async () => {
  anvil = await startAnvil();
  at = (await deployNetwork({ rpcUrl: anvil.rpcUrl })).addresses;
  client = createChainClient({ rpcUrls: [anvil.rpcUrl], chainId: DEVNET });
});
afterAll(() => anvil?.stop());
beforeEach(() => {
  node = devAccount(nodeIndex(nextNode++));
});

const time = () => createTestClient({ mode: "anvil", transport: http(anvil.rpcUrl) }).extend(publicActions);

/** Moves the chain's clock on. A block must follow: calls see the last block's time. */
async function wait(seconds: number): Promise<void> {
  await time().increaseTime({ seconds });
  await time().mine({ blocks: 1 });
}

const nowSec = async () => Number((await client.getBlock()).timestamp);
const send = (signer: Signer, call: calls.Call) => sendCall(client, signer, call);
const view = () => readNodeView(client, at, node.address);
const blindOf = (account: Address) =>
  client.readContract({ address: at.token, abi: tokenAbi, functionName: "balanceOf", args: [account] });

/** What a contract says to a call that it refuses. */
async function refusal(signer: Signer, call: calls.Call): Promise<string> {
  const error = await send(signer, call).then(
    () => new Error("nothing was refused"),
    (caught: Error & { code?: string }) => caught,
  );
  expect(error).toMatchObject({ code: "transaction-reverted", retry: "never" });
  return error.message;
}

function callOf(functionName: "recordFailure" | "resetFailures", account: Address): calls.Call {
  return {
    purpose: functionName,
    to: at.staking,
    data: encodeFunctionData({ abi: stakingAbi, functionName, args: [account] }),
  };
}

async function stake(amount = STAKE): Promise<void> {
  await send(node, calls.approveCall(at.token, "approve", at.staking, amount));
  await send(node, calls.stakeCall(at.staking, "stake", amount));
}

describe("staking", () => {
  it("takes 1000 BLIND or more at a time and adds them up", async () => {
    await send(node, calls.approveCall(at.token, "approve", at.staking, STAKE * 3n));
    expect(await refusal(node, calls.stakeCall(at.staking, "stake", STAKE - 1n))).toContain("less than MIN_STAKE");
    await send(node, calls.stakeCall(at.staking, "stake", STAKE));
    await send(node, calls.stakeCall(at.staking, "stake", STAKE));
    expect((await view()).stake).toEqual({
      staked: STAKE * 2n,
      unbonding: 0n,
      unbondingAvailableAtSec: 0,
      consecutiveFailures: 0,
      active: true,
    });
  });

  it("names the token's reason when the stake was not approved", async () => {
    expect(await refusal(node, calls.stakeCall(at.staking, "stake", STAKE))).toContain("ERC20InsufficientAllowance");
  });

  it("unbonds the whole stake for 96 hours before it can be taken out", async () => {
    await stake();
    const before = await blindOf(node.address);
    await send(node, calls.initiateUnstakeCall(at.staking, "unstake"));
    const { stake: unbonding } = await view();
    expect(unbonding).toMatchObject({ staked: 0n, unbonding: STAKE, active: false });
    expect((unbonding?.unbondingAvailableAtSec ?? 0) - (await nowSec())).toBe(96 * HOUR);
    await wait(96 * HOUR - 60);
    expect(await refusal(node, calls.completeUnstakeCall(at.staking, "complete"))).toContain("still unbonding");
    await wait(60);
    await send(node, calls.completeUnstakeCall(at.staking, "complete"));
    expect(await blindOf(node.address)).toBe(before + STAKE);
  });

  it("loses the whole stake to the owner at the third failure in a row, and not before", async () => {
    await stake();
    const treasury = await blindOf(owner.address);
    const fail = callOf("recordFailure", node.address);
    await send(icl, fail);
    await send(icl, fail);
    expect((await view()).stake).toMatchObject({ staked: STAKE, consecutiveFailures: 2, active: true });
    await send(icl, fail);
    expect((await view()).stake).toMatchObject({ staked: 0n, consecutiveFailures: 0, active: false });
    expect(await blindOf(owner.address)).toBe(treasury + STAKE);
    const [slashed] = await client.getContractEvents({
      address: at.staking,
      abi: stakingAbi,
      eventName: "Slashed",
      args: { node: node.address },
    });
    expect(slashed?.args).toMatchObject({ amount: STAKE });
  });

  it("starts counting anew after a success", async () => {
    await stake();
    const fail = callOf("recordFailure", node.address);
    await send(icl, fail);
    await send(icl, fail);
    await send(icl, callOf("resetFailures", node.address));
    await send(icl, fail);
    await send(icl, fail);
    expect((await view()).stake).toMatchObject({ staked: STAKE, consecutiveFailures: 2 });
  });

  it("takes failures from an authorised slasher only", async () => {
    expect(await refusal(node, callOf("recordFailure", node.address))).toContain("not a slasher");
  });
});

describe("the registry", () => {
  const registration = async (): Promise<calls.Registration> => ({
    tier: 1,
    certHash: `0x${"ab".repeat(16)}`,
    expiresAtSec: (await nowSec()) + 30 * DAY,
    models: ["groq:llama", "mock:one"],
    stakeWei: 5n,
  });

  it("registers a node once, with its certificate's hash padded on the right", async () => {
    await send(node, calls.registerCall(at.nodeRegistry, "register", await registration()));
    expect((await view()).registry).toMatchObject({
      registered: true,
      active: true,
      tier: 1,
      attestationHash: `0x${"ab".repeat(16)}${"00".repeat(16)}`,
      models: ["groq:llama", "mock:one"],
      stakeWei: 5n,
      graceSec: 950_400,
      isAuthorizedIcl: false,
    });
    expect(await refusal(node, calls.registerCall(at.nodeRegistry, "register", await registration()))).toContain(
      "already registered",
    );
  });

  it("refuses a tier above 2", async () => {
    const registered = { ...(await registration()), tier: 3 };
    expect(await refusal(node, calls.registerCall(at.nodeRegistry, "register", registered))).toContain("unknown tier");
  });

  it("refuses the heartbeat of a node it does not know", async () => {
    expect((await view()).registry).toMatchObject({ registered: false, active: false, lastHeartbeatSec: 0 });
    expect(await refusal(node, calls.heartbeatCall(at.nodeRegistry, 0))).toContain("not registered");
  });

  it("lets a node be silent for 11 days and no longer, and takes it back with its next heartbeat", async () => {
    await send(node, calls.registerCall(at.nodeRegistry, "register", await registration()));
    await wait(11 * DAY - 60);
    expect((await view()).registry?.active).toBe(true);
    await wait(120);
    expect((await view()).registry?.active).toBe(false);
    await send(node, calls.heartbeatCall(at.nodeRegistry, 0));
    expect((await view()).registry).toMatchObject({ active: true, lastHeartbeatSec: await nowSec() });
  });

  it("gives a silent node its ether back, and an active one not", async () => {
    await send(node, calls.registerCall(at.nodeRegistry, "register", await registration()));
    expect(await refusal(node, calls.withdrawRegistrationCall(at.nodeRegistry, "withdraw"))).toContain("still active");
    await wait(12 * DAY);
    await send(node, calls.withdrawRegistrationCall(at.nodeRegistry, "withdraw"));
    expect((await view()).registry).toMatchObject({ registered: true, active: false, stakeWei: 0n });
  });

  it("takes an attestation from the coordinator only", async () => {
    await send(node, calls.registerCall(at.nodeRegistry, "register", await registration()));
    const args = [node.address, TASK, 2, BigInt((await nowSec()) + DAY)] as const;
    const data = encodeFunctionData({ abi: nodeRegistryAbi, functionName: "updateAttestation", args });
    const call = { purpose: "attest", to: at.nodeRegistry, data };
    expect(await refusal(node, call)).toContain("only the coordinator");
    await send(icl, call);
    expect((await view()).registry).toMatchObject({ tier: 2, attestationHash: TASK });
  });
});

describe("results", () => {
  it("are committed once, by the coordinator only", async () => {
    const args = [TASK, MODEL, node.address, [icl.address, owner.address], 2, 0, 90, MODEL] as const;
    const data = encodeFunctionData({ abi: resultRegistryAbi, functionName: "commitResult", args });
    const call = { purpose: "commit", to: at.resultRegistry, data };
    expect(await refusal(node, call)).toContain("only the coordinator");
    await send(icl, call);
    expect(await refusal(icl, call)).toContain("task exists");
    const contract = { address: at.resultRegistry, abi: resultRegistryAbi } as const;
    expect(await client.readContract({ ...contract, functionName: "getResult", args: [TASK] })).toMatchObject({
      leaderAddress: node.address,
      confirmCount: 2,
      status: 1,
    });
    expect(await client.readContract({ ...contract, functionName: "taskExists", args: [TASK] })).toBe(true);
  });
});

describe("the key store", () => {
  it("gives zeros for a key that nobody stored", async () => {
    const contract = { address: at.promptKeyStore, abi: promptKeyStoreAbi } as const;
    expect(await client.readContract({ ...contract, functionName: "getEncryptedKey", args: [TASK] })).toEqual([0n, 0n]);
  });

  it("takes its coordinator from nobody but the coordinator", async () => {
    const data = encodeFunctionData({ abi: promptKeyStoreAbi, functionName: "setICL", args: [node.address] });
    expect(await refusal(node, { purpose: "seize", to: at.promptKeyStore, data })).toContain("only the coordinator");
  });
});
