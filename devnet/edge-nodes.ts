/**
 * The devnet's edge nodes: each a `blindference-edge run` process of its own, staked and registered on the chain, with a
 * development account. They get their settings as an operator would give them, through the environment.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Address, type Hex, keccak256, parseEther, stringToHex } from "viem";
import { approveCall, registerCall, stakeCall } from "../core/chain/calls.ts";
import { readNodeView } from "../core/chain/reads.ts";
import { createChainClient } from "../core/chain/rpc.ts";
import type { Clock } from "../core/ports.ts";
import { systemClock } from "../core/ports.ts";
import { devAccount, devPrivateKey, nodeIndex } from "./chain/accounts.ts";
import { sendCall } from "./chain/send.ts";
import type { LocalNetwork } from "./network.ts";
import { type NodeLogLine, type NodeProcess, startNodeProcess } from "./node-process.ts";

export interface EdgeNodeOptions {
  /** The n-th node, from 0: decides its account. */
  index: number;
  stateDir: string;
  /** Model ids to serve. */
  models: readonly string[];
  /** Further settings; they win. */
  env?: Record<string, string>;
  port?: number;
  /** Another build of the Worker. */
  worker?: string;
  onLog?(index: number, line: NodeLogLine): void;
}

export interface EdgeNode {
  index: number;
  address: Address;
  privateKey: Hex;
  adminToken: string;
  env: Record<string, string>;
  process: NodeProcess;
  /** A call to the node's API with its admin token; gives the JSON of the answer. */
  api(path: string, init?: { method?: string; body?: unknown }): Promise<unknown>;
}

/** How long a node may take from its start to its first certificate and heartbeat. */
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 100;
const STAKE = parseEther("1000");

const launcher = fileURLToPath(new URL("../bin/blindference-edge.js", import.meta.url));

export async function startEdgeNode(network: LocalNetwork, options: EdgeNodeOptions): Promise<EdgeNode> {
  const { index, stateDir, models } = options;
  const account = nodeIndex(index);
  const privateKey = devPrivateKey(account);
  const adminToken = secretOf("admin token", privateKey).slice(2, 42);
  const env: Record<string, string> = {
    ...network.env,
    BLF_PRIVATE_KEY: privateKey,
    BLF_STORAGE_KEY: storageKeyOf(privateKey),
    BLF_ADMIN_TOKEN: adminToken,
    ...(models.length === 0 ? {} : { BLF_MODELS: models.join(",") }),
    ...options.env,
  };
  await enrol(network, index);
  const { onLog } = options;
  const process = await startNodeProcess({
    program: launcher,
    name: `node ${index + 1}`,
    stateDir: join(stateDir, `node-${index + 1}`),
    env,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.worker === undefined ? {} : { worker: options.worker }),
    ...(onLog === undefined ? {} : { onLog: (line) => onLog(index, line) }),
  });
  const api = async (path: string, init: { method?: string; body?: unknown } = {}) => {
    const response = await fetch(`${process.url}${path}`, {
      method: init.method ?? "GET",
      headers: { authorization: `Bearer ${adminToken}` },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    return (await response.json()) as unknown;
  };
  return { index, address: devAccount(account).address, privateKey, adminToken, env, process, api };
}

/** Resolves once the coordinator counts every one of these nodes as live. Throws when that takes too long. */
export async function untilLive(
  network: LocalNetwork,
  addresses: readonly string[],
  clock: Clock = systemClock,
): Promise<void> {
  const until = clock.now() + READY_TIMEOUT_MS;
  for (;;) {
    const live = network.coordinator.stats().nodes.filter((node) => node.live);
    const missing = addresses.filter((address) => !live.some((node) => node.address === address));
    if (missing.length === 0) return;
    if (clock.now() > until) throw new Error(`not live after ${READY_TIMEOUT_MS / 1000} s: ${missing.join(", ")}`);
    await clock.sleep(READY_POLL_MS);
  }
}

/** Stakes and registers the account, once. */
async function enrol(network: LocalNetwork, index: number): Promise<void> {
  const signer = devAccount(nodeIndex(index));
  const { nodeRegistry, staking, token } = network.contracts;
  const client = createChainClient({ rpcUrls: [network.urls.rpc], chainId: network.chainId });
  const view = await readNodeView(client, network.contracts, signer.address);
  if (view.stake !== null && view.stake.staked < STAKE) {
    await sendCall(client, signer, approveCall(token, "approve", staking, STAKE));
    await sendCall(client, signer, stakeCall(staking, "stake", STAKE));
  }
  if (view.registry !== null && !view.registry.registered) {
    const inAYear = Math.floor(Date.now() / 1000) + 365 * 86_400;
    const registration = {
      tier: 0,
      certHash: "0x00",
      expiresAtSec: inAYear,
      models: [],
      stakeWei: view.registry.minStakeWei,
    };
    await sendCall(client, signer, registerCall(nodeRegistry, "register", registration));
  }
}

export function storageKeyOf(privateKey: Hex): string {
  return secretOf("storage key", privateKey).slice(2);
}

/** Fixed for a development key, so that a restarted devnet opens what it wrapped. */
function secretOf(use: string, privateKey: Hex): Hex {
  return keccak256(stringToHex(`devnet ${use} ${privateKey}`));
}
