/**
 * What the chain says about one node, in as few requests as it takes: registration and heartbeat, stake, balances.
 * Contracts that are not configured (a devnet may lack some) give null instead of a guess.
 */
import type { Address, Hex } from "viem";
import { nodeRegistryAbi, stakingAbi, tokenAbi } from "./abi.ts";
import { type ContractAddresses, DEVNET } from "./addresses.ts";
import { chainCall } from "./errors.ts";
import type { ChainClient } from "./rpc.ts";

/** NodeRegistry's view of a node. An address it does not know has `registered` false and zeros. */
export interface RegistryView {
  registered: boolean;
  /** Registered, attested and within the heartbeat's grace, by the chain's clock. */
  active: boolean;
  tier: number;
  attestationHash: Hex;
  attestationExpiresSec: number;
  registeredAtSec: number;
  lastHeartbeatSec: number;
  /** A node silent for longer is no longer active. */
  graceSec: number;
  models: readonly string[];
  /** Ether put down at registration, and the least it takes, wei. */
  stakeWei: bigint;
  minStakeWei: bigint;
  /** Whether this very account may write attestations; a node's normally may not (protocol §7). */
  isAuthorizedIcl: boolean;
}

/** BlindferenceStaking's view of a node; amounts in BLIND of 18 decimals. */
export interface StakeView {
  staked: bigint;
  unbonding: bigint;
  /** 0 while nothing is unbonding. */
  unbondingAvailableAtSec: number;
  consecutiveFailures: number;
  active: boolean;
}

export interface NodeView {
  registry: RegistryView | null;
  stake: StakeView | null;
  ethWei: bigint;
  blindWei: bigint | null;
}

/** All of it, the requests side by side. Throws NodeError. */
export function readNodeView(client: ChainClient, contracts: ContractAddresses, node: Address): Promise<NodeView> {
  const { nodeRegistry, staking, token } = contracts;
  return chainCall("reading the node's state", async () => {
    const [registry, stake, ethWei, blindWei] = await Promise.all([
      nodeRegistry ? readRegistry(client, nodeRegistry, node) : null,
      staking ? readStake(client, staking, node) : null,
      client.getBalance({ address: node }),
      token ? client.readContract({ address: token, abi: tokenAbi, functionName: "balanceOf", args: [node] }) : null,
    ]);
    return { registry, stake, ethWei, blindWei };
  });
}

export async function readRegistry(client: ChainClient, address: Address, node: Address): Promise<RegistryView> {
  const contract = { address, abi: nodeRegistryAbi } as const;
  const [entry, active, grace, minStakeWei, isAuthorizedIcl] = await client.multicall({
    allowFailure: false,
    batchSize: 0,
    // A devnet has no Multicall3: there its code travels with the call.
    deployless: client.chain.id === DEVNET,
    contracts: [
      { ...contract, functionName: "getNode", args: [node] },
      { ...contract, functionName: "isActive", args: [node] },
      { ...contract, functionName: "heartbeatGraceSeconds" },
      { ...contract, functionName: "minStake" },
      { ...contract, functionName: "isAuthorizedICL", args: [node] },
    ],
  });
  return {
    registered: entry.registeredAt !== 0n,
    active,
    tier: entry.tier,
    attestationHash: entry.attestationHash,
    attestationExpiresSec: Number(entry.attestationExpires),
    registeredAtSec: Number(entry.registeredAt),
    lastHeartbeatSec: Number(entry.lastHeartbeat),
    graceSec: Number(grace),
    models: entry.models,
    stakeWei: entry.stake,
    minStakeWei,
    isAuthorizedIcl,
  };
}

async function readStake(client: ChainClient, address: Address, node: Address): Promise<StakeView> {
  return stakeViewOf(
    await client.readContract({ address, abi: stakingAbi, functionName: "getStakeInfo", args: [node] }),
  );
}

/** `getStakeInfo`'s answer with times and counts as numbers. */
export function stakeViewOf(info: {
  staked: bigint;
  unbonding: bigint;
  unbondingAvailableAt: bigint;
  consecutiveFailures: bigint;
  active: boolean;
}): StakeView {
  return {
    staked: info.staked,
    unbonding: info.unbonding,
    unbondingAvailableAtSec: Number(info.unbondingAvailableAt),
    consecutiveFailures: Number(info.consecutiveFailures),
    active: info.active,
  };
}
