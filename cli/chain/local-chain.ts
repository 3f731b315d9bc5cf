/**
 * The chain as this machine's settings have it, for commands that read it themselves: which account is meant, and a client
 * for its testnet. Opens no wallet where an address is enough.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Address, getAddress, isAddress } from "viem";
import { privateKeyToAddress } from "viem/accounts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Environment } from "../environment.ts";
import { usageError } from "../errors.ts";
import { readLeniently } from "../lenient-settings.ts";
import { addressOf } from "../wallet/keystore.ts";

export interface LocalChain {
  settings: Settings;
  client: ChainClient;
}

/** Throws CliError (`usage`) where no RPC is set, or the one that is set cannot be used. */
export async function localChain(env: Environment): Promise<LocalChain> {
  // An RPC URL may be kept with the secrets: it carries a key.
  const rpc = await env.secret("BLF_RPC_URL");
  const { settings, faults } = readLeniently({
    ...env.bindings(),
    ...(rpc === null ? {} : { BLF_RPC_URL: rpc.reveal() }),
  });
  if (settings.rpcUrls.length === 0) {
    const fault = faults.find(({ setting }) => setting === "BLF_RPC_URL");
    throw usageError(
      fault?.message ?? "BLF_RPC_URL is not set.",
      fault?.fix ?? "Set it to an RPC URL of Arbitrum Sepolia.",
    );
  }
  const { rpcUrls, cofhe } = settings;
  return {
    settings,
    client: createChainClient({ rpcUrls, chainId: cofhe.chainId, fetch: (...args) => fetch(...args) }),
  };
}

/** Whose account is meant: `--node`, else the wallet's. Throws CliError (`usage`) where neither says. */
export async function accountOf(env: Environment, named: string | undefined): Promise<Address> {
  if (named !== undefined) {
    if (!isAddress(named, { strict: false })) throw usageError("--node is no address.", "Give 0x and 40 hex digits.");
    return getAddress(named);
  }
  if (env.get("BLF_PRIVATE_KEY") === undefined && existsSync(env.keystorePath)) {
    const address = addressOf(await readFile(env.keystorePath, "utf8"), env.keystorePath);
    if (address !== null) return getAddress(address);
  }
  return privateKeyToAddress((await env.privateKey()).reveal());
}
