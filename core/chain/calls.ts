/**
 * What a node may ask of the network's contracts, encoded. Each call goes to one of our contracts and to nothing else;
 * signing and sending are transaction.ts's business. A call's purpose names it for ever: asking for the same purpose
 * again must find the first transaction instead of sending a second.
 */
import { type Address, encodeFunctionData, type Hex } from "viem";
import type { EncryptedInput } from "../icl/schema.ts";
import { nodeRegistryAbi, promptKeyStoreAbi, stakingAbi, tokenAbi } from "./abi.ts";

export interface Call {
  purpose: string;
  to: Address;
  data: Hex;
  /** Wei sent along; absent means none. */
  value?: bigint;
}

export interface Registration {
  /** 0…2. */
  tier: number;
  /** `0x` and up to 64 hex digits, as the coordinator gives it. */
  certHash: string;
  expiresAtSec: number;
  models: readonly string[];
  /** At least the registry's `minStake`, wei. */
  stakeWei: bigint;
}

/** `NodeRegistry.heartbeat()`; one transaction for each last heartbeat that was seen, however often one looks. */
export function heartbeatCall(registry: Address, lastHeartbeatSec: number): Call {
  const data = encodeFunctionData({ abi: nodeRegistryAbi, functionName: "heartbeat" });
  return { purpose: `heartbeat:${lastHeartbeatSec}`, to: registry, data };
}

/** `NodeRegistry.register`, once per address (protocol §7). */
export function registerCall(registry: Address, purpose: string, registration: Registration): Call {
  const { tier, certHash, expiresAtSec, models, stakeWei } = registration;
  const args = [tier, padCertHash(certHash), BigInt(expiresAtSec), models] as const;
  const data = encodeFunctionData({ abi: nodeRegistryAbi, functionName: "register", args });
  return { purpose, to: registry, data, value: stakeWei };
}

/** `NodeRegistry.updateAttestation` about the node itself; for accounts that are authorised coordinators (protocol §7). */
export function updateAttestationCall(
  registry: Address,
  purpose: string,
  node: Address,
  { tier, certHash, expiresAtSec }: Pick<Registration, "tier" | "certHash" | "expiresAtSec">,
): Call {
  const args = [node, padCertHash(certHash), tier, BigInt(expiresAtSec)] as const;
  const data = encodeFunctionData({ abi: nodeRegistryAbi, functionName: "updateAttestation", args });
  return { purpose, to: registry, data };
}

/** `NodeRegistry.withdrawStake()`: the registration's ether, once the node is no longer active. */
export function withdrawRegistrationCall(registry: Address, purpose: string): Call {
  return { purpose, to: registry, data: encodeFunctionData({ abi: nodeRegistryAbi, functionName: "withdrawStake" }) };
}

/** `BLIND.approve(staking, amount)`, which a stake of that amount needs first. */
export function approveCall(token: Address, purpose: string, staking: Address, amount: bigint): Call {
  const data = encodeFunctionData({ abi: tokenAbi, functionName: "approve", args: [staking, amount] });
  return { purpose, to: token, data };
}

/** `BlindferenceStaking.stake(amount)`, at least `MIN_STAKE` each time. */
export function stakeCall(staking: Address, purpose: string, amount: bigint): Call {
  return { purpose, to: staking, data: encodeFunctionData({ abi: stakingAbi, functionName: "stake", args: [amount] }) };
}

/** `BlindferenceStaking.initiateUnstake()`: the whole stake starts its 96 h of unbonding. */
export function initiateUnstakeCall(staking: Address, purpose: string): Call {
  return { purpose, to: staking, data: encodeFunctionData({ abi: stakingAbi, functionName: "initiateUnstake" }) };
}

/** `BlindferenceStaking.completeUnstake()`, after the unbonding. */
export function completeUnstakeCall(staking: Address, purpose: string): Call {
  return { purpose, to: staking, data: encodeFunctionData({ abi: stakingAbi, functionName: "completeUnstake" }) };
}

export interface KeyToStore {
  purpose: string;
  /** The key's id on chain: the task id, or for an output key the id derived from it (protocol §3). */
  storeJobId: Hex;
  high: EncryptedInput;
  low: EncryptedInput;
  allowed: readonly Address[];
}

/** `PromptKeyStore.storeKey`; only the account that the inputs were encrypted for may send it (protocol §3). */
export function storeKeyCall(promptKeyStore: Address, key: KeyToStore): Call {
  const args = [key.storeJobId, inputArgs(key.high), inputArgs(key.low), key.allowed] as const;
  const data = encodeFunctionData({ abi: promptKeyStoreAbi, functionName: "storeKey", args });
  return { purpose: key.purpose, to: promptKeyStore, data };
}

/** A certificate's hash as the registry's bytes32: shorter ones get zeros on the right (protocol §7). */
export function padCertHash(certHash: string): Hex {
  return `0x${certHash.replace(/^0x/, "").toLowerCase().padEnd(64, "0")}`;
}

function inputArgs({ ctHash, securityZone, utype, signature }: EncryptedInput) {
  return { ctHash: BigInt(ctHash), securityZone, utype, signature: signature as Hex };
}
