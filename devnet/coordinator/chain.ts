/**
 * The coordinator's account on the chain: reads prompt keys, counts failures at the staking contract, records outcomes,
 * and checks what a leader says about its output key against the receipt. Its transactions go out one after another.
 */
import { type Address, encodeFunctionData, isAddressEqual, keccak256, parseEventLogs, stringToBytes } from "viem";
import { promptKeyStoreAbi, resultRegistryAbi, stakingAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { chainCall } from "../../core/chain/errors.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import { ok, type Result, refuse } from "../../core/result.ts";
import type { Signer } from "../../core/signer.ts";
import { createTransactions, type Transactions } from "../transactions.ts";
import type { ChainPort, OutputKeyClaim } from "./ports.ts";

export interface CoordinatorChainOptions {
  rpcUrl: string;
  /** Default: 31337. */
  chainId?: number;
  /** A slasher at the staking contract, and the registry's coordinator. */
  signer: Signer;
  contracts: { promptKeyStore: Address; staking: Address; resultRegistry: Address };
}

export function createCoordinatorChain(options: CoordinatorChainOptions): ChainPort {
  const { rpcUrl, chainId = DEVNET, signer, contracts } = options;
  const client = createChainClient({ rpcUrls: [rpcUrl], chainId });
  const transactions = createTransactions(client, signer);
  return {
    async readPromptKey(taskId) {
      const contract = { address: contracts.promptKeyStore, abi: promptKeyStoreAbi } as const;
      const [high, low] = await chainCall("reading a prompt key", () =>
        client.readContract({ ...contract, functionName: "getEncryptedKey", args: [taskId] }),
      );
      return { high, low };
    },
    ...failureCalls(client, transactions, contracts.staking),
    ...outcomeCalls(transactions, contracts.resultRegistry),
    verifyOutputKeyTx: (claim) => verifyOutputKeyTx(client, contracts.promptKeyStore, claim),
  };
}

function failureCalls(client: ChainClient, transactions: Transactions, staking: Address) {
  return {
    recordFailure(node: Address) {
      const data = encodeFunctionData({ abi: stakingAbi, functionName: "recordFailure", args: [node] });
      return transactions.send({ purpose: "recording a failure", to: staking, data });
    },
    async resetFailures(node: Address) {
      const { consecutiveFailures } = await chainCall("reading a node's failures", () =>
        client.readContract({ address: staking, abi: stakingAbi, functionName: "getStakeInfo", args: [node] }),
      );
      if (consecutiveFailures === 0n) return null;
      const data = encodeFunctionData({ abi: stakingAbi, functionName: "resetFailures", args: [node] });
      return transactions.send({ purpose: "resetting failures", to: staking, data });
    },
  };
}

function outcomeCalls(
  transactions: Transactions,
  registry: Address,
): Pick<ChainPort, "commitResult" | "commitRejection"> {
  return {
    commitResult({ taskId, resultHash, leader, verifiers, confirmCount, rejectCount, confidence, modelId }) {
      const counts = [confirmCount, rejectCount, confidence] as const;
      const args = [taskId, resultHash, leader, verifiers, ...counts, modelHash(modelId)] as const;
      const data = encodeFunctionData({ abi: resultRegistryAbi, functionName: "commitResult", args });
      return transactions.send({ purpose: "committing a result", to: registry, data });
    },
    commitRejection({ taskId, leader, verifiers, modelId, reason }) {
      const args = [taskId, leader, verifiers, modelHash(modelId), reason] as const;
      const data = encodeFunctionData({ abi: resultRegistryAbi, functionName: "commitRejection", args });
      return transactions.send({ purpose: "committing a rejection", to: registry, data });
    },
  };
}

/** The registry keys models by bytes32. */
function modelHash(modelId: string) {
  return keccak256(stringToBytes(modelId));
}

/** Protocol §3: the leader itself stored exactly these handles under the job's output key id, readable for the user. */
async function verifyOutputKeyTx(
  client: ChainClient,
  promptKeyStore: Address,
  claim: OutputKeyClaim,
): Promise<Result<null, string>> {
  const receipt = await chainCall("reading an output key's receipt", async () => {
    try {
      return await client.getTransactionReceipt({ hash: claim.tx });
    } catch (error) {
      if (error instanceof Error && error.name === "TransactionReceiptNotFoundError") return null;
      throw error;
    }
  });
  if (receipt === null) return refuse("is not mined");
  if (receipt.status !== "success") return refuse("has reverted");
  const logs = parseEventLogs({ abi: promptKeyStoreAbi, eventName: "KeyStored", logs: receipt.logs });
  const stored = logs.find(({ address, args }) => {
    return isAddressEqual(address, promptKeyStore) && args.jobId === claim.storeJobId;
  });
  if (stored === undefined) return refuse("stored no key under the job's output key id");
  const { submitter, highHandle, lowHandle, allowedNodes } = stored.args;
  if (!isAddressEqual(submitter, claim.leader)) return refuse("was sent by another account than the leader's");
  if (!allowedNodes.some((allowed) => isAddressEqual(allowed, claim.user))) {
    return refuse("does not let the user read the key");
  }
  if (highHandle !== claim.handles.high || lowHandle !== claim.handles.low) {
    return refuse("stored other handles than the result names");
  }
  return ok(null);
}
