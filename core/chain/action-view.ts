/** What the chain says that an action's plan depends on: one multicall a contract, the account's ether, the chain's time. */
import type { Address } from "viem";
import { stakingAbi, tokenAbi } from "./abi.ts";
import { type ContractAddresses, DEVNET } from "./addresses.ts";
import { chainCall } from "./errors.ts";
import { type RegistryView, readRegistry, type StakeView, stakeViewOf } from "./reads.ts";
import type { ChainClient } from "./rpc.ts";

export interface ActionView {
  /** The latest block's time: what the contracts compare with. */
  chainSec: number;
  ethWei: bigint;
  registry: RegistryView | null;
  /** Amounts in BLIND's smallest unit. */
  stake: (StakeView & { minStake: bigint; balance: bigint; allowance: bigint }) | null;
}

/** Contracts that are not configured give null. Throws NodeError. */
export function readActionView(client: ChainClient, contracts: ContractAddresses, node: Address): Promise<ActionView> {
  const { nodeRegistry, staking, token } = contracts;
  return chainCall("reading the node's state", async () => {
    const [block, ethWei, registry, stake] = await Promise.all([
      client.getBlock(),
      client.getBalance({ address: node }),
      nodeRegistry ? readRegistry(client, nodeRegistry, node) : null,
      staking && token ? readMoney(client, { staking, token }, node) : null,
    ]);
    return { chainSec: Number(block.timestamp), ethWei, registry, stake };
  });
}

async function readMoney(client: ChainClient, at: { staking: Address; token: Address }, node: Address) {
  const staking = { address: at.staking, abi: stakingAbi } as const;
  const token = { address: at.token, abi: tokenAbi } as const;
  const [info, minStake, balance, allowance] = await client.multicall({
    allowFailure: false,
    batchSize: 0,
    deployless: client.chain.id === DEVNET,
    contracts: [
      { ...staking, functionName: "getStakeInfo", args: [node] },
      { ...staking, functionName: "MIN_STAKE" },
      { ...token, functionName: "balanceOf", args: [node] },
      { ...token, functionName: "allowance", args: [node, at.staking] },
    ],
  });
  return { ...stakeViewOf(info), minStake, balance, allowance };
}
