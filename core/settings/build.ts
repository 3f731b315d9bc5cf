/** The settings as the rest of the node takes them: plain, nested, with every secret in a `Secret`. */
import { type Address, concat, keccak256, stringToHex } from "viem";
import type { Role } from "../icl/schema.ts";
import type { LogLevel } from "../ports.ts";
import { Secret } from "../secret.ts";
import type { ChainId } from "./chains.ts";
import type { PrivateKey } from "./key.ts";
import type { Values } from "./schema.ts";

/** Keeps the derived storage key apart from every other use of the private key. */
const STORAGE_KEY_LABEL = "blindference-edge/storage-key/1";

export interface Settings {
  /** At least one, none twice; none in sidecar mode. */
  privateKeys: Secret<PrivateKey>[];
  /** Null in edge mode. */
  sidecar: SidecarSettings | null;
  /** A seed phrase and its account indices; this version only reads them. */
  fleet: { mnemonic: Secret; indices: number[] } | null;
  /** 64 hex digits each; the current key first, then previous ones, then those derived from the private keys. */
  storageKeys: Secret[];
  /** URLs have no trailing slash. */
  iclEndpoint: string;
  paymentServiceUrl: string;
  /** Preferred first. */
  rpcUrls: string[];
  cofhe: {
    rpcUrls: string[];
    chainId: ChainId;
    urls: { coFheUrl: string; verifierUrl: string; thresholdNetworkUrl: string };
  };
  executor: "edge" | "sidecar";
  tier: number;
  attestation: { backend: "mock" | "tpm" | "sev" | "tdx"; mockKey?: Secret };
  /** Model ids to serve, with their prefixes. */
  models: string[];
  /** Also serve whatever the OpenAI-compatible server lists. */
  openaiDiscover: boolean;
  roles: Role[];
  backends: {
    groq?: { apiKey: Secret; baseUrl: string };
    gemini?: { apiKey: Secret; baseUrl: string };
    openai?: { baseUrl: string; apiKey?: Secret };
  };
  ipfs: { pinataJwt?: Secret; pinataApiUrl: string; gatewayUrl: string };
  contracts: {
    nodeRegistry?: Address;
    staking?: Address;
    token?: Address;
    promptKeyStore?: Address;
    resultRegistry?: Address;
  };
  /** The most that a transaction offers per unit of gas, decimal. */
  maxFeeGwei: string;
  maxConcurrentJobs: number;
  /** Whole BLIND. */
  stakeAmount: number;
  skipOutputKeyStorage: boolean;
  keyPoolSize: number;
  knownCheckSec: number;
  /** 0: do not look for another copy of this node at the first start. */
  copyCheckSec: number;
  /** How long what is finished stays. */
  retention: { historyDays: number; jobRecordDays: number; sealedAnswerHours: number };
  logLevel: LogLevel;
  adminToken?: Secret;
  spendToken?: Secret;
  allowHttp: boolean;
  /** Read by the command line only. */
  cli: { configDir: string; keystore: string; keyPassword?: Secret };
}

export interface SidecarSettings {
  /** EIP-55; the nodes whose keys the sidecar holds. */
  nodes: Address[];
  url: string;
  /** The Worker's key for its requests, a seed of 64 hex digits. */
  key: { id: string; seed: Secret };
  /** 64 hex digits each. */
  sidecarKeys: string[];
  access?: { clientId: string; clientSecret: Secret };
}

/** Nests the values. `modelsGiven` says that the operator listed the models, so that nothing is discovered. */
export function buildSettings(values: Values, modelsGiven: boolean): Settings {
  const rpcUrls = values.BLF_RPC_URL ?? [];
  return {
    privateKeys: values.BLF_EXECUTOR === "sidecar" ? [] : (values.BLF_PRIVATE_KEY ?? []),
    sidecar: values.BLF_EXECUTOR === "sidecar" ? sidecar(values) : null,
    fleet: values.BLF_MNEMONIC ? { mnemonic: values.BLF_MNEMONIC, indices: values.BLF_NODE_INDICES } : null,
    storageKeys: storageKeys(values),
    iclEndpoint: values.BLF_ICL_ENDPOINT,
    paymentServiceUrl: values.BLF_PAYMENT_SERVICE_URL,
    rpcUrls,
    cofhe: {
      rpcUrls: values.BLF_COFHE_ENDPOINT ?? rpcUrls,
      chainId: values.BLF_COFHE_CHAIN_ID,
      urls: {
        coFheUrl: values.BLF_COFHE_URL,
        verifierUrl: values.BLF_COFHE_VERIFIER_URL,
        thresholdNetworkUrl: values.BLF_COFHE_TN_URL,
      },
    },
    executor: values.BLF_EXECUTOR,
    tier: values.BLF_TIER,
    attestation: {
      backend: values.BLF_ATTESTATION_BACKEND,
      ...present("mockKey", values.MOCK_ATTESTATION_KEY),
    },
    models: values.BLF_MODELS ?? [],
    openaiDiscover: !modelsGiven && values.OPENAI_BASE_URL !== undefined,
    roles: values.BLF_ROLES,
    backends: backends(values),
    ipfs: {
      ...present("pinataJwt", values.PINATA_JWT),
      pinataApiUrl: values.PINATA_API_URL,
      gatewayUrl: values.PINATA_GATEWAY_URL,
    },
    contracts: contracts(values),
    maxFeeGwei: values.BLF_MAX_FEE_GWEI,
    maxConcurrentJobs: values.BLF_MAX_CONCURRENT_JOBS,
    stakeAmount: values.BLF_STAKE_AMOUNT,
    skipOutputKeyStorage: values.BLF_SKIP_OUTPUT_KEY_STORAGE,
    keyPoolSize: values.BLF_KEY_POOL_SIZE,
    knownCheckSec: values.BLF_KNOWN_CHECK_SECONDS,
    copyCheckSec: values.BLF_COPY_CHECK_SECONDS,
    retention: {
      historyDays: values.BLF_HISTORY_DAYS,
      jobRecordDays: values.BLF_JOB_RECORD_DAYS,
      sealedAnswerHours: values.BLF_SEALED_ANSWER_HOURS,
    },
    logLevel: values.BLF_LOG_LEVEL,
    ...present("adminToken", values.BLF_ADMIN_TOKEN),
    ...present("spendToken", values.BLF_SPEND_TOKEN),
    allowHttp: values.BLF_ALLOW_HTTP,
    cli: {
      configDir: values.BLF_CONFIG_DIR,
      keystore: values.BLF_KEYSTORE,
      ...present("keyPassword", values.BLF_KEY_PASSWORD),
    },
  };
}

/**
 * The keys given, then one derived from each private key: it wraps where no key is given, and still opens what it
 * wrapped once one is. Whoever holds the private key can decrypt the node's prompts anyway.
 */
function storageKeys(values: Values): Secret[] {
  const current = values.BLF_STORAGE_KEY === undefined ? [] : [values.BLF_STORAGE_KEY];
  const derived = (values.BLF_PRIVATE_KEY ?? []).map(
    (key) => new Secret(keccak256(concat([stringToHex(STORAGE_KEY_LABEL), key.reveal()])).slice(2)),
  );
  const all = [...current, ...(values.BLF_STORAGE_KEY_PREVIOUS ?? []), ...derived];
  return [...new Map(all.map((key) => [key.reveal(), key])).values()];
}

/** What is missing is a fault of the settings, with which nothing of this is used. */
function sidecar(values: Values): SidecarSettings {
  const { BLF_SIDECAR_ACCESS_CLIENT_ID: clientId, BLF_SIDECAR_ACCESS_CLIENT_SECRET: clientSecret } = values;
  return {
    nodes: values.BLF_NODE_ADDRESS ?? [],
    url: values.BLF_SIDECAR_URL ?? "",
    key: { id: values.BLF_SIDECAR_KEY_ID ?? "", seed: values.BLF_SIDECAR_PRIVATE_KEY ?? new Secret("") },
    sidecarKeys: values.BLF_SIDECAR_PUBLIC_KEY ?? [],
    ...(clientId !== undefined && clientSecret !== undefined ? { access: { clientId, clientSecret } } : {}),
  };
}

function backends(values: Values): Settings["backends"] {
  const { GROQ_API_KEY: groq, GOOGLE_API_KEY: gemini, OPENAI_BASE_URL: openai } = values;
  return {
    ...(groq ? { groq: { apiKey: groq, baseUrl: values.GROQ_BASE_URL } } : {}),
    ...(gemini ? { gemini: { apiKey: gemini, baseUrl: values.GEMINI_BASE_URL } } : {}),
    ...(openai ? { openai: { baseUrl: openai, ...present("apiKey", values.OPENAI_API_KEY) } } : {}),
  };
}

function contracts(values: Values): Settings["contracts"] {
  return {
    ...present("nodeRegistry", values.BLF_NODE_REGISTRY_ADDRESS),
    ...present("staking", values.BLF_STAKING_ADDRESS),
    ...present("token", values.BLF_TOKEN_ADDRESS),
    ...present("promptKeyStore", values.BLF_PROMPT_KEY_STORE_ADDRESS),
    ...present("resultRegistry", values.BLF_RESULT_REGISTRY_ADDRESS),
  };
}

/** A property that is there only when it has a value. */
function present<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  const property: { [P in K]?: V } = {};
  if (value !== undefined) property[name] = value;
  return property;
}
