import { createTestClient, http, parseEther, parseGwei, publicActions } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { DEVNET } from "../../core/chain/addresses.ts";
import { approveCall, registerCall } from "../../core/chain/calls.ts";
import { readNodeView } from "../../core/chain/reads.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import { broadcast, nextNonce, prepare, receiptOf } from "../../core/chain/transaction.ts";
import { Secret } from "../../core/secret.ts";
import { localSigner, type Signer } from "../../core/signer.ts";
import { type Anvil, startAnvil } from "./anvil.ts";
import { deployNetwork, type NetworkAddresses } from "./deploy.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let anvil: Anvil;
let client: ChainClient;
let at: NetworkAddresses;
let signer: Signer;

beforeAll(async () => {
  anvil = await startAnvil();
  at = (await deployNetwork({ rpcUrl: anvil.rpcUrl })).addresses;
  client = createChainClient({ rpcUrls: [anvil.rpcUrl], chainId: DEVNET });
});
afterAll(() => anvil?.stop());
beforeEach(async () => {
  signer = localSigner(new Secret(generatePrivateKey()));
  await chain().setBalance({ address: signer.address, value: parseEther("1") });
  await chain().setAutomine(false);
});

const chain = () => createTestClient({ mode: "anvil", transport: http(anvil.rpcUrl) }).extend(publicActions);
const mine = () => chain().mine({ blocks: 1 });
const approval = () => approveCall(at.token, "approve", at.staking, 1n);
const prepared = (nonce: number, call = approval()) => prepare({ client, signer, call, nonce });

describe("the same bytes", () => {
  it("are taken once, known afterwards, and their nonce is used once they are mined", async () => {
    const { raw, hash, nonce } = await prepared(await nextNonce(client, signer.address));
    expect(nonce).toBe(0);
    expect(await receiptOf(client, hash)).toEqual({ state: "pending" });
    expect(await broadcast(client, raw)).toBe("sent");
    expect(await broadcast(client, raw)).toBe("known");
    expect(await receiptOf(client, hash)).toEqual({ state: "pending" });
    expect(await nextNonce(client, signer.address)).toBe(1);
    await mine();
    expect(await broadcast(client, raw)).toBe("nonce-used");
    expect(await receiptOf(client, hash)).toMatchObject({ state: "success", feeWei: expect.any(BigInt) });
    expect(await client.getTransactionCount({ address: signer.address })).toBe(1);
  });

  it("are told apart from another transaction that took their nonce", async () => {
    const ours = await prepared(0);
    const other = await prepared(0, approveCall(at.token, "other", at.staking, 2n));
    expect(await broadcast(client, other.raw)).toBe("sent");
    expect(await broadcast(client, ours.raw)).toBe("underpriced");
    await mine();
    expect(await broadcast(client, ours.raw)).toBe("nonce-used");
    expect(await receiptOf(client, ours.hash)).toEqual({ state: "pending" });
  });
});

describe("fees", () => {
  it("leave room for the base fee to double, and never cost more than they say", async () => {
    const { raw, hash, maxFeeWei } = await prepared(0);
    const { baseFeePerGas } = await client.getBlock();
    await chain().setNextBlockBaseFeePerGas({ baseFeePerGas: (baseFeePerGas ?? 0n) * 2n });
    expect(await broadcast(client, raw)).toBe("sent");
    await mine();
    const receipt = await receiptOf(client, hash);
    expect(receipt).toMatchObject({ state: "success" });
    expect(receipt.state === "success" && receipt.feeWei <= maxFeeWei).toBe(true);
  });

  it("above the cap are refused, and below it the cap holds", async () => {
    const call = approval();
    await chain().setNextBlockBaseFeePerGas({ baseFeePerGas: parseGwei("10") });
    await mine();
    await expect(prepare({ client, signer, call, nonce: 0, maxFeePerGasWei: 1n })).rejects.toMatchObject({
      code: "gas-price",
      retry: "later",
      admitted: "no",
    });
    const free = await prepare({ client, signer, call, nonce: 0 });
    const maxFeePerGasWei = (free.maxFeePerGas * 3n) / 4n;
    const capped = await prepare({ client, signer, call, nonce: 0, maxFeePerGasWei });
    expect(capped.maxFeePerGas).toBe(maxFeePerGasWei);
  });

  it("that the account cannot pay are named as such, and nothing was sent", async () => {
    const { raw } = await prepared(0);
    await chain().setBalance({ address: signer.address, value: 1n });
    const failure = await prepared(0).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "insufficient-funds", retry: "later" });
    expect(String(failure)).toMatch(/may cost 0\.\d+ ETH, and the account has 0\.0*1 ETH/);
    await expect(broadcast(client, raw)).rejects.toMatchObject({
      code: "insufficient-funds",
      retry: "later",
      message: expect.not.stringContaining(raw),
    });
  });

  it("below the base fee are underpriced and not lost", async () => {
    const { raw } = await prepared(0);
    await chain().setNextBlockBaseFeePerGas({ baseFeePerGas: parseGwei("500") });
    await mine();
    expect(await broadcast(client, raw)).toBe("underpriced");
    await chain().setNextBlockBaseFeePerGas({ baseFeePerGas: 1n });
    await mine();
    expect(await broadcast(client, raw)).toBe("sent");
    await mine();
  });
});

describe("a refusal by the contract", () => {
  const registration = (tier: number) =>
    registerCall(at.nodeRegistry, "register", { tier, certHash: "0xab", expiresAtSec: 1, models: [], stakeWei: 0n });

  it("is known before anything is signed", async () => {
    await expect(prepared(0, registration(3))).rejects.toMatchObject({
      code: "transaction-reverted",
      retry: "never",
      message: "preparing register: the contract refused (unknown tier)",
    });
  });

  it("that came only when mined carries its reason in the receipt", async () => {
    const [first, second] = [await prepared(0, registration(0)), await prepared(1, registration(0))];
    await broadcast(client, first.raw);
    await mine();
    await broadcast(client, second.raw);
    await mine();
    expect(await receiptOf(client, first.hash)).toMatchObject({ state: "success" });
    expect(await receiptOf(client, second.hash)).toMatchObject({ state: "reverted", reason: "already registered" });
  });

  it("is a setting at fault where the address holds no contract", async () => {
    const nowhere = "0x000000000000000000000000000000000000dEaD";
    for (const contracts of [{ nodeRegistry: nowhere }, { staking: nowhere }, { token: nowhere }] as const) {
      await expect(readNodeView(client, contracts, signer.address)).rejects.toMatchObject({ code: "settings" });
    }
  });
});
