/**
 * The one real part: a chain with the network's contracts, and on it a prompt key that every node may decrypt, stored
 * once. Each job uses it again, so that asking for a job takes no transaction. Made before simulated time begins.
 */
import { bytesToHex } from "viem";
import { promptKeyStoreAbi } from "../../core/chain/abi.ts";
import { storeKeyCall } from "../../core/chain/calls.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { createCofhe } from "../../core/cofhe/client.ts";
import { sealBlob } from "../../core/crypto/blob.ts";
import { splitKey } from "../../core/crypto/key-halves.ts";
import { systemClock, systemRandom } from "../../core/ports.ts";
import { DEV_ACCOUNTS, DEV_ROLES, devAccount, nodeIndex } from "../../devnet/chain/accounts.ts";
import { startAnvil } from "../../devnet/chain/anvil.ts";
import { deployNetwork, type NetworkAddresses } from "../../devnet/chain/deploy.ts";
import { sendCall } from "../../devnet/chain/send.ts";

export const PROMPT = "What is the capital of France?";

/** How many nodes a simulation may have. */
export const NODES = DEV_ACCOUNTS - 1 - DEV_ROLES.firstNode;

export interface SimChain {
  rpcUrl: string;
  chainId: number;
  contracts: NetworkAddresses;
  /** The prompt, sealed under the key that the handles stand for. */
  sealedPrompt: Uint8Array<ArrayBuffer>;
  promptKey: { high: bigint; low: bigint };
  stop(): Promise<void>;
}

export async function startChain(): Promise<SimChain> {
  const anvil = await startAnvil();
  try {
    const { addresses, chainId } = await deployNetwork({ rpcUrl: anvil.rpcUrl });
    const prompt = await storePrompt(anvil.rpcUrl, chainId, addresses);
    return { rpcUrl: anvil.rpcUrl, chainId, contracts: addresses, ...prompt, stop: () => anvil.stop() };
  } catch (error) {
    await anvil.stop();
    throw error;
  }
}

async function storePrompt(rpcUrl: string, chainId: number, { promptKeyStore }: NetworkAddresses) {
  const signer = devAccount(DEV_ROLES.user);
  const client = createChainClient({ rpcUrls: [rpcUrl], chainId });
  const nowhere = "http://127.0.0.1:9";
  const cofhe = createCofhe({
    chainId,
    rpcUrls: [rpcUrl],
    urls: { coFheUrl: nowhere, verifierUrl: nowhere, thresholdNetworkUrl: nowhere },
    signer,
    permits: { load: async () => null, save: async () => undefined },
    clock: systemClock,
  });
  const key = systemRandom(32);
  const { high, low } = splitKey(key);
  const inputs = await cofhe.encryptUint128Pair(high, low);
  const storeJobId = bytesToHex(systemRandom(32));
  const allowed = Array.from({ length: NODES }, (_, index) => devAccount(nodeIndex(index)).address);
  await sendCall(
    client,
    signer,
    storeKeyCall(promptKeyStore, { purpose: "a prompt key", storeJobId, ...inputs, allowed }),
  );
  const [storedHigh, storedLow] = await client.readContract({
    address: promptKeyStore,
    abi: promptKeyStoreAbi,
    functionName: "getEncryptedKey",
    args: [storeJobId],
  });
  const sealedPrompt = await sealBlob(PROMPT, key, systemRandom);
  return { sealedPrompt, promptKey: { high: storedHigh, low: storedLow } };
}
