/** The network: coordinator, payment service, RPC, CoFHE and the contracts. */
import { DEFAULT_CHAIN, readChainId } from "./chains.ts";
import { readAddress } from "./key.ts";
import { defaulted, optional, textTo } from "./setting.ts";
import { readChoice, readFlag, readGwei } from "./text.ts";
import { readRpcUrls, readUrl } from "./url.ts";

function contract(what: string, use: string) {
  return optional(textTo(readAddress), {
    description: `Address of ${what}: ${use}`,
    fix: "Copy the contract's address, 0x and 40 hex digits; a devnet prints its own at the start.",
    defaultNote: "by chain",
  });
}

export const networkShape = {
  BLF_ICL_ENDPOINT: defaulted(textTo(readUrl), "https://icl.blindference.xyz", {
    description: "The coordinator (ICL).",
    fix: "Write the coordinator's https URL, or remove it for the default.",
  }),
  BLF_PAYMENT_SERVICE_URL: defaulted(textTo(readUrl), "https://payment.blindference.xyz", {
    description: "The payment service, asked for earnings.",
    fix: "Write the payment service's https URL, or remove it for the default.",
  }),
  BLF_RPC_URL: optional(textTo(readRpcUrls), {
    description:
      "RPC endpoint of the chain; several, comma-separated, are tried in this order. There is no default: get a free key at <https://dashboard.alchemy.com/> or another provider.",
    fix: "Set BLF_RPC_URL to an RPC URL of the chain with your own key; a free one is at https://dashboard.alchemy.com/.",
    show: "origin",
  }),
  BLF_COFHE_ENDPOINT: optional(textTo(readRpcUrls), {
    description: "RPC endpoint that CoFHE calls use.",
    fix: "Write an RPC URL of the chain with your own key, or remove it to use BLF_RPC_URL.",
    defaultNote: "`BLF_RPC_URL`",
    show: "origin",
  }),
  BLF_COFHE_CHAIN_ID: defaulted(textTo(readChainId), DEFAULT_CHAIN, {
    description:
      "The chain: 421614 (Arbitrum Sepolia, where the network lives), 84532 (Base Sepolia), 11155111 (Sepolia) or 31337 (devnet). Mainnets are refused.",
    fix: "Set BLF_COFHE_CHAIN_ID to 421614, or to 31337 for a devnet.",
  }),
  BLF_COFHE_URL: defaulted(textTo(readUrl), "https://testnet-cofhe.fhenix.zone", {
    description: "CoFHE service with the network key. On chain 31337 the default is `http://127.0.0.1:8448`.",
    fix: "Write the service's https URL, or remove it for the default.",
  }),
  BLF_COFHE_VERIFIER_URL: defaulted(textTo(readUrl), "https://testnet-cofhe-vrf.fhenix.zone", {
    description: "CoFHE verifier of encrypted inputs. On chain 31337 the default is `http://127.0.0.1:3001`.",
    fix: "Write the verifier's https URL, or remove it for the default.",
  }),
  BLF_COFHE_TN_URL: defaulted(textTo(readUrl), "https://testnet-cofhe-tn.fhenix.zone", {
    description: "CoFHE threshold network, which decrypts. On chain 31337 the default is `http://127.0.0.1:3000`.",
    fix: "Write the threshold network's https URL, or remove it for the default.",
  }),
  BLF_COFHE_MODE: optional(textTo(readChoice({ bridge: "bridge", python: "python" } as const)), {
    description:
      "Known from the Python node (`bridge` or `python`): accepted and ignored, CoFHE runs inside the Worker.",
    fix: "Remove BLF_COFHE_MODE; it has no effect.",
  }),
  BLF_NODE_REGISTRY_ADDRESS: contract("NodeRegistry", "registration and the on-chain heartbeat."),
  BLF_STAKING_ADDRESS: contract("BlindferenceStaking", "stake and consecutive failures."),
  BLF_TOKEN_ADDRESS: contract("the BLIND token", "approval of the stake."),
  BLF_PROMPT_KEY_STORE_ADDRESS: contract("PromptKeyStore", "where a leader makes output keys readable."),
  BLF_RESULT_REGISTRY_ADDRESS: contract("ResultRegistry", "results recorded on chain."),
  BLF_MAX_FEE_GWEI: defaulted(textTo(readGwei("0.01", "10000")), "10", {
    description:
      "The most that a transaction offers for a unit of gas, in gwei, 0.01 to 10000. Arbitrum Sepolia asks for 0.1 unless it is busy: a hundred times as much sits out spikes, and a job's transaction still costs no more than 0.005 ETH. Above it transactions wait. A ninth of it is kept back for cancelling one that is stuck.",
    fix: "Set BLF_MAX_FEE_GWEI to a number from 0.01 to 10000, or remove it for the default.",
  }),
  BLF_ALLOW_HTTP: defaulted(textTo(readFlag), "false", {
    description: "Allows plain http to hosts other than loopback. For test networks only.",
    fix: "Set BLF_ALLOW_HTTP to true or false.",
  }),
};
