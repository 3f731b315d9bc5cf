/**
 * The chains a node may run on, with the defaults that follow from the choice (protocol §7, §8). Mainnets are refused by
 * name: keys, prompts and stakes here are for test networks only.
 */
import { ok } from "../result.ts";
import { problem, type Reading } from "./setting.ts";

export const CHAIN_IDS = [421614, 84532, 11155111, 31337] as const;
export type ChainId = (typeof CHAIN_IDS)[number];

export const DEFAULT_CHAIN = "421614";
export const DEVNET_CHAIN: ChainId = 31337;

const MAINNETS: Readonly<Record<string, string>> = {
  1: "Ethereum",
  10: "OP Mainnet",
  25: "Cronos",
  56: "BNB Smart Chain",
  100: "Gnosis",
  130: "Unichain",
  137: "Polygon",
  250: "Fantom",
  324: "ZKsync Era",
  5000: "Mantle",
  8453: "Base",
  42161: "Arbitrum One",
  42170: "Arbitrum Nova",
  42220: "Celo",
  43114: "Avalanche",
  59144: "Linea",
  81457: "Blast",
  534352: "Scroll",
};

/** Settings whose default depends on the chain, as texts. */
export type ChainDefaults = Readonly<Record<string, string>>;

const DEFAULTS: Readonly<Record<string, ChainDefaults>> = {
  421614: {
    BLF_NODE_REGISTRY_ADDRESS: "0x72C0Ead949Fd2C346598a30AF1A69c3c5Cb86082",
    BLF_STAKING_ADDRESS: "0x222Ac74201Ed58915e42Ee5be626d939fd234D0b",
    BLF_TOKEN_ADDRESS: "0x232D5470DaaC7AD552a42d876aDEF1f778033cE0",
    BLF_PROMPT_KEY_STORE_ADDRESS: "0x1E22dD12f448B15f1Ca8560fB6B4463834FaAf73",
    BLF_RESULT_REGISTRY_ADDRESS: "0xCebd831eCd00915E299b8Ef2666cAbf942dc7150",
  },
  // The CoFHE SDK's addresses for its local services; a devnet names its own.
  31337: {
    BLF_COFHE_URL: "http://127.0.0.1:8448",
    BLF_COFHE_VERIFIER_URL: "http://127.0.0.1:3001",
    BLF_COFHE_TN_URL: "http://127.0.0.1:3000",
  },
};

/** Defaults of a chain whose id is given as text; none for a chain without any. */
export function chainDefaults(chainId: string): ChainDefaults {
  return DEFAULTS[chainId] ?? {};
}

/** A chain id, decimal; a mainnet is named in the refusal. */
export function readChainId(text: string): Reading<ChainId> {
  if (!/^[1-9]\d{0,15}$/.test(text)) return problem("malformed", "must be a chain id in decimal, such as 421614");
  const known = CHAIN_IDS.find((id) => String(id) === text);
  if (known !== undefined) return ok(known);
  const mainnet = MAINNETS[text];
  if (mainnet !== undefined) {
    return problem("mainnet", `is ${text}, the mainnet ${mainnet}, and this node runs on testnets only`);
  }
  return problem("unsupported", `is ${text}, which is none of the known testnets ${CHAIN_IDS.join(", ")}`);
}
