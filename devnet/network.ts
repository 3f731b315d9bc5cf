/**
 * The local network: chain, contracts, CoFHE's mocks, coordinator, IPFS, payment service and test servers for every
 * model backend, on loopback. Everything but the chain lives in this process. Started in order, and torn down in
 * reverse, also when starting fails half-way.
 */
import { join } from "node:path";
import type { Address, Hex } from "viem";
import { DEV_ROLES, devAccount, devPrivateKey } from "./chain/accounts.ts";
import { startAnvil } from "./chain/anvil.ts";
import { type Network as Contracts, deployNetwork } from "./chain/deploy.ts";
import { createRpcProxy } from "./chain/rpc-proxy.ts";
import { createCoordinatorChain } from "./coordinator/chain.ts";
import { type Coordinator, createCoordinator } from "./coordinator/coordinator.ts";
import { listen } from "./http.ts";
import { createIpfsApp, DEVNET_PINATA_JWT } from "./ipfs/app.ts";
import { createCompletionsServer } from "./models/completions.ts";
import { createGeminiServer } from "./models/gemini.ts";
import { createGroqServer } from "./models/groq.ts";
import { createPaymentChain } from "./payment/chain.ts";
import { createPaymentService } from "./payment/payment.ts";
import { createUser, type User } from "./user/user.ts";

/** Ports of the services; 0 or absent takes a free one. */
export interface NetworkPorts {
  rpc?: number;
  icl?: number;
  payment?: number;
  ipfs?: number;
  groq?: number;
  gemini?: number;
  openai?: number;
}

/** Opens the test model servers and nothing else. */
export const DEVNET_MODEL_KEY = "devnet-model-key";
/** The same, for a node whose model is to answer differently from the others'. */
export const DEVNET_WRONG_MODEL_KEY = "wrong-devnet-model-key";

export interface NetworkOptions {
  /** Where the chain and the IPFS store are kept. */
  stateDir: string;
  ports?: NetworkPorts;
  verifiers?: "early" | "late";
  /** Seconds between blocks; default: a block for every transaction. */
  blockTimeSec?: number;
}

export interface LocalNetwork {
  chainId: number;
  urls: {
    /** The chain itself; nodes get `nodeRpc`, which can be made to misbehave. */
    rpc: string;
    nodeRpc: string;
    icl: string;
    payment: string;
    ipfsGateway: string;
    pinata: string;
    groq: string;
    gemini: string;
    openai: string;
  };
  contracts: Contracts["addresses"];
  coordinator: Coordinator;
  /** What a node needs to join, without its key and models: settings by name. */
  env: Record<string, string>;
  /** A user with a funded account, who asks through the coordinator as anybody would. */
  user: User & { address: Address; privateKey: Hex };
  stop(): Promise<void>;
}

/** How long the coordinator waits for the third answer once two agree, so that every verdict is in the result. */
const WAIT_FOR_ALL_SEC = 10;

export async function startNetwork(options: NetworkOptions): Promise<LocalNetwork> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    return { ...(await start(options, stops)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(options: NetworkOptions, stops: (() => Promise<void>)[]): Promise<Omit<LocalNetwork, "stop">> {
  const { stateDir, ports = {} } = options;
  const stateFolder = join(stateDir, "chain");
  const anvil = await startAnvil({
    stateFolder,
    ...(ports.rpc === undefined ? {} : { port: ports.rpc }),
    ...(options.blockTimeSec === undefined ? {} : { blockTimeSec: options.blockTimeSec }),
  });
  stops.push(() => anvil.stop());
  const { addresses, chainId } = await deployNetwork({ rpcUrl: anvil.rpcUrl, stateFolder });
  const serve = async (app: Parameters<typeof listen>[0], port: number | undefined) => {
    const server = await listen(app, port);
    stops.push(() => server.close());
    return server.url;
  };
  const signerOf = (role: number) => ({
    rpcUrl: anvil.rpcUrl,
    chainId,
    signer: devAccount(role),
    contracts: addresses,
  });
  const ipfs = createIpfsApp({ dir: join(stateDir, "ipfs") });
  const ipfsUrl = await serve(ipfs.app, ports.ipfs);
  const payment = createPaymentService({ chain: createPaymentChain(signerOf(DEV_ROLES.payment)) });
  const paymentUrl = await serve(payment.app, ports.payment);
  const groqUrl = await serve(createGroqServer().app, ports.groq);
  const geminiUrl = await serve(createGeminiServer().app, ports.gemini);
  const openaiUrl = await serve(createCompletionsServer().app, ports.openai);

  const coordinator = createCoordinator({
    chain: createCoordinatorChain(signerOf(DEV_ROLES.icl)),
    ipfs: { add: (bytes) => ipfs.store.add(bytes) },
    payment,
    chainId,
    verifiers: options.verifiers ?? "early",
    waitForAllSec: WAIT_FOR_ALL_SEC,
  });
  coordinator.start();
  stops.push(() => coordinator.stop());
  const iclUrl = await serve(coordinator.app, ports.icl);

  const urls = {
    rpc: anvil.rpcUrl,
    nodeRpc: await serve(createRpcProxy({ rpcUrl: anvil.rpcUrl }).app, 0),
    icl: iclUrl,
    payment: paymentUrl,
    ipfsGateway: `${ipfsUrl}/ipfs`,
    pinata: ipfsUrl,
    groq: `${groqUrl}/openai/v1`,
    gemini: `${geminiUrl}/v1beta`,
    openai: `${openaiUrl}/v1`,
  };
  const account = devAccount(DEV_ROLES.user);
  const user = createUser({
    coordinatorUrl: urls.icl,
    chain: { rpcUrl: urls.rpc, chainId, promptKeyStore: addresses.promptKeyStore },
    ipfsGatewayUrl: urls.ipfsGateway,
    account,
  });
  return {
    chainId,
    urls,
    contracts: addresses,
    coordinator,
    env: networkSettings(urls, chainId, addresses),
    user: { ...user, address: account.address, privateKey: devPrivateKey(DEV_ROLES.user) },
  };
}

/** What a node on this network needs beside its key and models. */
export function networkSettings(
  urls: Pick<LocalNetwork["urls"], "icl" | "payment" | "nodeRpc" | "pinata" | "ipfsGateway">,
  chainId: number,
  contracts: Contracts["addresses"],
) {
  return {
    BLF_ICL_ENDPOINT: urls.icl,
    BLF_PAYMENT_SERVICE_URL: urls.payment,
    BLF_RPC_URL: urls.nodeRpc,
    BLF_COFHE_CHAIN_ID: String(chainId),
    BLF_NODE_REGISTRY_ADDRESS: contracts.nodeRegistry,
    BLF_STAKING_ADDRESS: contracts.staking,
    BLF_TOKEN_ADDRESS: contracts.token,
    BLF_PROMPT_KEY_STORE_ADDRESS: contracts.promptKeyStore,
    BLF_RESULT_REGISTRY_ADDRESS: contracts.resultRegistry,
    PINATA_JWT: DEVNET_PINATA_JWT,
    PINATA_API_URL: urls.pinata,
    PINATA_GATEWAY_URL: urls.ipfsGateway,
  };
}

/** The test servers' settings for a model of the given backend. */
export function modelSettings(
  network: { urls: Pick<LocalNetwork["urls"], "groq" | "gemini" | "openai"> },
  backend: "groq" | "gemini" | "openai",
): Record<string, string> {
  switch (backend) {
    case "groq":
      return { GROQ_API_KEY: DEVNET_MODEL_KEY, GROQ_BASE_URL: network.urls.groq };
    case "gemini":
      return { GOOGLE_API_KEY: DEVNET_MODEL_KEY, GEMINI_BASE_URL: network.urls.gemini };
    case "openai":
      return { OPENAI_BASE_URL: network.urls.openai };
  }
}
