import { type Address, type Hex, keccak256, parseEther, stringToBytes, toHex } from "viem";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { resultRegistryAbi, stakingAbi, tokenAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { approveCall, stakeCall, storeKeyCall } from "../../core/chain/calls.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import { createCofhe } from "../../core/cofhe/client.ts";
import { outputKeyStoreJobId } from "../../core/crypto/output-key-id.ts";
import { systemClock } from "../../core/ports.ts";
import { DEV_ROLES, devAccount } from "../chain/accounts.ts";
import { type Anvil, startAnvil } from "../chain/anvil.ts";
import { deployNetwork, type NetworkAddresses } from "../chain/deploy.ts";
import { sendCall } from "../chain/send.ts";
import { createPaymentChain } from "../payment/chain.ts";
import type { PaymentChainPort } from "../payment/payment.ts";
import { createCoordinatorChain } from "./chain.ts";
import type { ChainPort, KeyHandles } from "./ports.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const NOWHERE = "http://127.0.0.1:1";
const urls = { coFheUrl: NOWHERE, verifierUrl: NOWHERE, thresholdNetworkUrl: NOWHERE };
const [leader, verifier, other] = [devAccount(4), devAccount(5), devAccount(6)];
const user = devAccount(DEV_ROLES.user).address;

let anvil: Anvil;
let at: NetworkAddresses;
let client: ChainClient;
let chain: ChainPort;
let payments: PaymentChainPort;

beforeAll(async () => {
  anvil = await startAnvil();
  const { rpcUrl } = anvil;
  at = (await deployNetwork({ rpcUrl })).addresses;
  client = createChainClient({ rpcUrls: [rpcUrl], chainId: DEVNET });
  chain = createCoordinatorChain({ rpcUrl, signer: devAccount(DEV_ROLES.icl), contracts: at });
  payments = createPaymentChain({ rpcUrl, signer: devAccount(DEV_ROLES.payment), contracts: at });
});
afterAll(() => anvil?.stop());

/** Stores a key from the account's own wallet, as a leader or a user does. */
async function storeKey(storeJobId: Hex, allowed: Address, signer = leader): Promise<Hex> {
  const permits = { load: async () => null, save: async () => {} };
  const cofhe = createCofhe({ chainId: DEVNET, rpcUrls: [anvil.rpcUrl], urls, signer, permits, clock: systemClock });
  const inputs = await cofhe.encryptUint128Pair(7n, 8n);
  const key = { purpose: "a key", storeJobId, ...inputs, allowed: [allowed] };
  return sendCall(client, signer, storeKeyCall(at.promptKeyStore, key));
}

async function failuresOf(node: Address): Promise<number> {
  const call = { address: at.staking, abi: stakingAbi, functionName: "getStakeInfo", args: [node] } as const;
  return Number((await client.readContract(call)).consecutiveFailures);
}

async function stake(): Promise<void> {
  const amount = parseEther("1000");
  await sendCall(client, verifier, approveCall(at.token, "an approval", at.staking, amount));
  await sendCall(client, verifier, stakeCall(at.staking, "a stake", amount));
}

describe("the coordinator's chain", () => {
  const jobId = keccak256(toHex("a job"));
  const storeJobId = outputKeyStoreJobId(jobId);
  let tx: Hex;
  let handles: KeyHandles;
  beforeAll(async () => {
    tx = await storeKey(storeJobId, user);
    handles = await chain.readPromptKey(storeJobId);
  });

  it("reads a stored key's handles, and zeros where none is stored", async () => {
    expect(String(handles.high).length).toBeGreaterThan(70);
    expect(handles.low).not.toBe(handles.high);
    expect(await chain.readPromptKey(keccak256(toHex("nothing")))).toEqual({ high: 0n, low: 0n });
  });

  it("believes a leader that stored exactly this key for the user", async () => {
    const claim = { tx, storeJobId, leader: leader.address, user, handles };
    expect(await chain.verifyOutputKeyTx(claim)).toEqual({ ok: true, value: null });
  });

  const lies: { name: string; more: object; refusal: RegExp }[] = [
    { name: "a transaction that is nowhere", more: { tx: keccak256("0x01") }, refusal: /not mined/ },
    { name: "another job's key", more: { storeJobId: outputKeyStoreJobId("another") }, refusal: /no key/ },
    { name: "another account's key", more: { leader: other.address }, refusal: /another account/ },
    { name: "a key that the user cannot read", more: { user: other.address }, refusal: /read the key/ },
    { name: "other handles", more: { handles: { high: 1n, low: 2n } }, refusal: /other handles/ },
  ];
  it.each(lies)("does not believe $name", async ({ more, refusal }) => {
    const claim = { tx, storeJobId, leader: leader.address, user, handles, ...more };
    expect(await chain.verifyOutputKeyTx(claim)).toEqual({ ok: false, refusal: expect.stringMatching(refusal) });
  });

  it("counts failures of a staked node, forgives them, and leaves a count of 0 alone", async () => {
    await stake();
    await Promise.all([chain.recordFailure(verifier.address), chain.recordFailure(verifier.address)]);
    expect(await failuresOf(verifier.address)).toBe(2);
    expect(await chain.resetFailures(verifier.address)).toMatch(/^0x/);
    expect(await failuresOf(verifier.address)).toBe(0);
    expect(await chain.resetFailures(verifier.address)).toBeNull();
  });

  it("records results and rejections, one for each task", async () => {
    const accepted = {
      taskId: jobId,
      resultHash: keccak256(toHex("hash")),
      leader: leader.address,
      verifiers: [verifier.address, other.address],
      confirmCount: 1,
      rejectCount: 1,
      confidence: 90,
      modelId: "mock:demo",
    };
    const rejected = { ...accepted, taskId: keccak256(toHex("another job")), reason: "too few equal commitments" };
    await Promise.all([chain.commitResult(accepted), chain.commitRejection(rejected)]);
    const read = (taskId: Hex) =>
      client.readContract({
        address: at.resultRegistry,
        abi: resultRegistryAbi,
        functionName: "getResult",
        args: [taskId],
      });
    expect(await read(jobId)).toMatchObject({
      resultHash: accepted.resultHash,
      status: 1,
      aggregatedConfidence: 90,
      modelId: keccak256(stringToBytes("mock:demo")),
    });
    expect(await read(rejected.taskId)).toMatchObject({ status: 2 });
    await expect(chain.commitResult(accepted)).rejects.toThrow("task exists");
  });
});

describe("the payment service's chain", () => {
  it("pays many at once, each exactly", async () => {
    const accounts = [20, 21, 22].map((index) => devAccount(index).address);
    const balances = () =>
      Promise.all(
        accounts.map((account) =>
          client.readContract({ address: at.token, abi: tokenAbi, functionName: "balanceOf", args: [account] }),
        ),
      );
    const before = await balances();
    const hashes = await Promise.all(accounts.map((account, index) => payments.transfer(account, BigInt(index + 1))));
    expect(new Set(hashes).size).toBe(3);
    expect(await balances()).toEqual(before.map((balance, index) => balance + BigInt(index + 1)));
  });

  it("sees what is at stake, and a stake that was taken", async () => {
    await stake();
    expect(await payments.slashCount(verifier.address)).toBe(0);
    expect(await payments.stakeOf(verifier.address)).toBeGreaterThanOrEqual(parseEther("1000"));
    for (let failure = 0; failure < 3; failure++) await chain.recordFailure(verifier.address);
    expect(await payments.slashCount(verifier.address)).toBe(1);
    expect(await payments.stakeOf(verifier.address)).toBe(0n);
    expect(await payments.slashCount(other.address)).toBe(0);
  });
});
