/**
 * Where the network's contracts are (protocol §7). Arbitrum Sepolia has defaults; a devnet prints its own, which the
 * settings override. Nothing is guessed: a contract that is not configured is a refusal that names its setting.
 */
import type { Address } from "viem";
import { NodeError } from "../errors.ts";

export const ARBITRUM_SEPOLIA = 421614;
/** A local chain with CoFHE's mock contracts (protocol §8). */
export const DEVNET = 31337;

/** The contracts a node reads or writes; on a devnet each may be missing. */
export interface ContractAddresses {
  nodeRegistry?: Address;
  staking?: Address;
  token?: Address;
  promptKeyStore?: Address;
  resultRegistry?: Address;
}

export type ContractName = keyof ContractAddresses;

const DEFAULTS: Record<number, Required<ContractAddresses>> = {
  [ARBITRUM_SEPOLIA]: {
    nodeRegistry: "0x72C0Ead949Fd2C346598a30AF1A69c3c5Cb86082",
    staking: "0x222Ac74201Ed58915e42Ee5be626d939fd234D0b",
    token: "0x232D5470DaaC7AD552a42d876aDEF1f778033cE0",
    promptKeyStore: "0x1E22dD12f448B15f1Ca8560fB6B4463834FaAf73",
    resultRegistry: "0xCebd831eCd00915E299b8Ef2666cAbf942dc7150",
  },
};

/** The setting that overrides each. */
export const CONTRACT_SETTINGS: Readonly<Record<ContractName, string>> = {
  nodeRegistry: "BLF_NODE_REGISTRY_ADDRESS",
  staking: "BLF_STAKING_ADDRESS",
  token: "BLF_TOKEN_ADDRESS",
  promptKeyStore: "BLF_PROMPT_KEY_STORE_ADDRESS",
  resultRegistry: "BLF_RESULT_REGISTRY_ADDRESS",
};

/** The chain's defaults with `overrides` laid over them; an override that is undefined changes nothing. */
export function resolveAddresses(
  chainId: number,
  overrides: { [Name in ContractName]?: Address | undefined } = {},
): ContractAddresses {
  const given = Object.entries(overrides).filter(([, address]) => address !== undefined);
  return { ...DEFAULTS[chainId], ...Object.fromEntries(given) };
}

/** One contract's address. Throws NodeError `settings`, naming the setting, where it is not configured. */
export function requireAddress(addresses: ContractAddresses, name: ContractName): Address {
  const address = addresses[name];
  if (address) return address;
  throw new NodeError("settings", `${CONTRACT_SETTINGS[name]} is not set, and this chain has no default`, {
    retry: "never",
    hint: `Set ${CONTRACT_SETTINGS[name]} to the contract's address; the devnet prints its own at start.`,
  });
}
