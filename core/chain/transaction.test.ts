import { createPublicClient, custom, type Hex } from "viem";
import { describe, expect, it } from "vitest";
import { Secret } from "../secret.ts";
import { localSigner } from "../signer.ts";
import { ARBITRUM_SEPOLIA } from "./addresses.ts";
import { createChainClient } from "./rpc.ts";
import { nextNonce, prepare, receiptOf } from "./transaction.ts";

const { chain } = createChainClient({ rpcUrls: ["https://rpc.test"], chainId: ARBITRUM_SEPOLIA });
const HASH: Hex = `0x${"ab".repeat(32)}`;
const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const SIGNER = localSigner(new Secret<Hex>(`0x${"11".repeat(32)}`));
const RECEIPT = {
  transactionHash: HASH,
  status: "0x1",
  blockNumber: "0x10",
  gasUsed: "0x5208",
  effectiveGasPrice: "0x1",
};
const BLOCK = { number: "0x10", baseFeePerGas: "0x5f5e100", transactions: [] };
const SOUND = {
  eth_estimateGas: "0x5208",
  eth_getBlockByNumber: BLOCK,
  eth_maxPriorityFeePerGas: "0x0",
  eth_getBalance: "0xde0b6b3a7640000",
};

/** A client of an RPC node that gives each method one answer. */
function clientOf(answers: Record<string, unknown>) {
  const request = async ({ method }: { method: string }): Promise<unknown> => answers[method] ?? null;
  return createPublicClient({ chain, transport: custom({ request }, { retryCount: 0 }), cacheTime: 0 });
}

const IMPLAUSIBLE = { code: "rpc-unavailable", retry: "later" };

describe("an RPC node's answer that no chain gives", () => {
  it.each(["blockNumber", "gasUsed", "effectiveGasPrice"])("is a receipt without %s", async (field) => {
    const client = clientOf({ eth_getTransactionReceipt: { ...RECEIPT, [field]: null } });
    await expect(receiptOf(client, HASH)).rejects.toMatchObject(IMPLAUSIBLE);
    expect(await receiptOf(clientOf({ eth_getTransactionReceipt: RECEIPT }), HASH)).toMatchObject({ state: "success" });
  });

  it.each([
    ["no gas at all", { eth_estimateGas: "0x0" }],
    ["a negative tip", { eth_maxPriorityFeePerGas: -1 }],
    ["a negative estimate", { eth_estimateGas: -1 }],
  ])("is %s, and nothing is signed for it", async (_name, odd) => {
    const call = { purpose: "a call", to: NODE, data: "0x12345678" } as const;
    const options = { signer: SIGNER, call, nonce: 7, maxFeePerGasWei: 10n ** 15n };
    await expect(prepare({ client: clientOf({ ...SOUND, ...odd }), ...options })).rejects.toMatchObject(IMPLAUSIBLE);
    expect((await prepare({ client: clientOf(SOUND), ...options })).nonce).toBe(7);
  });

  it.each([-1, 1.5])("is the nonce %d", async (nonce) => {
    await expect(nextNonce(clientOf({ eth_getTransactionCount: nonce }), NODE)).rejects.toMatchObject(IMPLAUSIBLE);
  });
});
