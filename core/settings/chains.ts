/**
 * The chains a node may run on, with the defaults that follow from the choice (protocol §7, §8). Mainnets are refused by
 * name: keys, prompts and stakes here are for test networks only.
 */
import { CONTRACT_SETTINGS, type ContractName, DEVNET, resolveAddresses } from "../chain/addresses.ts";
import { MAINNETS } from "../chain/mainnets.ts";
import { TESTNETS, type TestnetId } from "../chain/testnets.ts";
import { ok } from "../result.ts";
import { problem, type Reading } from "./setting.ts";

export const CHAIN_IDS = TESTNETS;
export type ChainId = TestnetId;

export const DEFAULT_CHAIN = "421614";

/** Settings whose default depends on the chain, as texts. */
export type ChainDefaults = Readonly<Record<string, string>>;

/** The CoFHE SDK's addresses for its local services; a devnet names its own. */
const DEVNET_SERVICES: ChainDefaults = {
  BLF_COFHE_URL: "http://127.0.0.1:8448",
  BLF_COFHE_VERIFIER_URL: "http://127.0.0.1:3001",
  BLF_COFHE_TN_URL: "http://127.0.0.1:3000",
};

/** Defaults of a chain whose id is given as text; none for a chain without any. */
export function chainDefaults(chainId: string): ChainDefaults {
  if (chainId === String(DEVNET)) return DEVNET_SERVICES;
  const contracts = Object.entries(resolveAddresses(Number(chainId))) as [ContractName, string][];
  return Object.fromEntries(contracts.map(([name, address]) => [CONTRACT_SETTINGS[name], address]));
}

/** A chain id, decimal; a mainnet is named in the refusal. */
export function readChainId(text: string): Reading<ChainId> {
  if (!/^[1-9]\d{0,15}$/.test(text)) return problem("malformed", "must be a chain id in decimal, such as 421614");
  const known = CHAIN_IDS.find((id) => String(id) === text);
  if (known !== undefined) return ok(known);
  const mainnet = MAINNETS[Number(text)];
  if (mainnet !== undefined) {
    return problem("mainnet", `is ${text}, the mainnet ${mainnet}, and this node runs on testnets only`);
  }
  return problem("unsupported", `is ${text}, which is none of the known testnets ${CHAIN_IDS.join(", ")}`);
}
