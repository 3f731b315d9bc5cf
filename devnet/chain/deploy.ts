/**
 * The network's contracts on a local chain: CoFHE's mocks at their fixed addresses, our contracts, the coordinator's
 * roles, and money for the accounts. With a state folder the addresses are kept beside the chain's state, and a chain
 * that still holds everything is left as it is; anything less is deployed afresh.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Abi,
  type Address,
  createTestClient,
  defineChain,
  getAddress,
  type Hex,
  http,
  parseEther,
  publicActions,
  type TransactionReceipt,
  walletActions,
} from "viem";
import * as z from "zod";
import {
  type Artifact,
  blindArtifact,
  mockAclArtifact,
  mockQueryDecrypterArtifact,
  mockZkVerifierArtifact,
  nodeRegistryArtifact,
  promptKeyStoreArtifact,
  resultRegistryArtifact,
  stakingArtifact,
  taskManagerArtifact,
} from "../../contracts/artifacts.ts";
import { tokenAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { DEV_ACCOUNTS, DEV_ROLES, devAccount } from "./accounts.ts";

export interface DeployOptions {
  rpcUrl: string;
  /** Default: 31337. */
  chainId?: number;
  /** The folder that anvil keeps its state in. */
  stateFolder?: string;
  /** Accounts besides the development ones that get ETH and BLIND. */
  fund?: readonly Address[];
}

const address = z.templateLiteral(["0x", z.string().regex(/^[0-9a-fA-F]{40}$/)]);

const networkAddresses = z.object({
  nodeRegistry: address,
  staking: address,
  token: address,
  promptKeyStore: address,
  resultRegistry: address,
  taskManager: address,
  acl: address,
  zkVerifier: address,
  thresholdNetwork: address,
});
export type NetworkAddresses = z.infer<typeof networkAddresses>;

export interface Network {
  rpcUrl: string;
  chainId: number;
  addresses: NetworkAddresses;
  /** False when the chain held everything already. */
  deployed: boolean;
}

/** Where CoFHE's SDK looks for its mock contracts on chain 31337 (protocol §8). */
const COFHE_MOCKS = {
  taskManager: "0xeA30c4B8b44078Bbf8a6ef5b9f1eC1626C7848D9",
  zkVerifier: "0x0000000000000000000000000000000000005001",
  thresholdNetwork: "0x0000000000000000000000000000000000005002",
} as const;
/** The account whose key the SDK carries to sign mock proofs. */
const MOCK_PROOF_SIGNER = "0x6E12D8C87503D4287c294f2Fdef96ACd9DFf6bd2";

const FUNDS = {
  eth: parseEther("100"),
  /** Enough for ten stakes. */
  blind: parseEther("10000"),
  /** What the payment service pays rewards from. */
  paymentBlind: parseEther("1000000"),
};

const RECEIPT_POLL_MS = 2;
const RECEIPT_ATTEMPTS = 5_000;
/** Attempts after which a chain is taken for one that mines by the clock. */
const MINE_EVERY = 10;

/** Deploys what the chain does not hold yet. Takes about a second. */
export async function deployNetwork(options: DeployOptions): Promise<Network> {
  const { rpcUrl, chainId = DEVNET, stateFolder, fund = [] } = options;
  const chain = connect(rpcUrl, chainId);
  const known = stateFolder === undefined ? null : readAddresses(stateFolder);
  if (known && (await holdsAll(chain, known))) return { rpcUrl, chainId, addresses: known, deployed: false };

  const icl = devAccount(DEV_ROLES.icl).address;
  const cofhe = await placeCofhe(chain);
  const addresses = { ...cofhe, ...(await deployContracts(chain, icl)) };
  await grantRoles(chain, addresses, icl);
  const accounts = Array.from({ length: DEV_ACCOUNTS }, (_, index) => devAccount(index).address);
  await mint(chain, addresses.token, [...accounts, ...fund], FUNDS.blind);
  await mint(chain, addresses.token, [devAccount(DEV_ROLES.payment).address], FUNDS.paymentBlind);
  for (const account of [MOCK_PROOF_SIGNER, ...fund] as const) {
    await chain.setBalance({ address: account, value: FUNDS.eth });
  }
  if (stateFolder !== undefined) writeAddresses(stateFolder, addresses);
  return { rpcUrl, chainId, addresses, deployed: true };
}

/** Gives an account 100 ETH and 10,000 BLIND, for nodes that are not among the development accounts. */
export async function fundAccount(network: Network, account: Address): Promise<void> {
  const chain = connect(network.rpcUrl, network.chainId);
  await chain.setBalance({ address: account, value: FUNDS.eth });
  await mint(chain, network.addresses.token, [account], FUNDS.blind);
}

type Chain = ReturnType<typeof connect>;

function connect(rpcUrl: string, chainId: number) {
  const chain = defineChain({
    id: chainId,
    name: "devnet",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  });
  // By address: the chain signs for its development accounts itself, which is several times faster.
  const account = devAccount(DEV_ROLES.deployer).address;
  const options = { account, chain, transport: http(rpcUrl), cacheTime: 0 } as const;
  return createTestClient({ ...options, mode: "anvil" })
    .extend(publicActions)
    .extend(walletActions);
}

/** The three mocks without constructor state go to their addresses as code; the access control list is deployed. */
async function placeCofhe(chain: Chain) {
  const owner = chain.account.address;
  const { taskManager, zkVerifier, thresholdNetwork } = COFHE_MOCKS;
  await chain.setCode({ address: taskManager, bytecode: taskManagerArtifact.deployedBytecode });
  await chain.setCode({ address: zkVerifier, bytecode: mockZkVerifierArtifact.deployedBytecode });
  await chain.setCode({ address: thresholdNetwork, bytecode: mockQueryDecrypterArtifact.deployedBytecode });
  const acl = await deploy(chain, mockAclArtifact, [owner]);
  const manage = (name: string, args: unknown[]) => write(chain, taskManager, taskManagerArtifact.abi, name, args);
  // First, because it also takes the verifier's signer away.
  await manage("initialize", [owner]);
  await manage("setACLContract", [acl]);
  await manage("setSecurityZones", [0, 1]);
  // Without it the mock takes any signature for an encrypted input's.
  await manage("setVerifierSigner", [MOCK_PROOF_SIGNER]);
  await write(chain, thresholdNetwork, mockQueryDecrypterArtifact.abi, "initialize", [taskManager, acl]);
  return { ...COFHE_MOCKS, acl };
}

async function deployContracts(chain: Chain, icl: Address) {
  const owner = chain.account.address;
  const token = await deploy(chain, blindArtifact, [owner]);
  const staking = await deploy(chain, stakingArtifact, [token, owner]);
  const nodeRegistry = await deploy(chain, nodeRegistryArtifact, []);
  const promptKeyStore = await deploy(chain, promptKeyStoreArtifact, []);
  const resultRegistry = await deploy(chain, resultRegistryArtifact, [owner, icl, nodeRegistry]);
  return { token, staking, nodeRegistry, promptKeyStore, resultRegistry };
}

async function grantRoles(chain: Chain, addresses: NetworkAddresses, icl: Address): Promise<void> {
  const { nodeRegistry, staking, promptKeyStore } = addresses;
  await write(chain, nodeRegistry, nodeRegistryArtifact.abi, "initialize", [chain.account.address, icl]);
  await write(chain, staking, stakingArtifact.abi, "setSlasher", [icl, true]);
  await write(chain, promptKeyStore, promptKeyStoreArtifact.abi, "setICL", [icl]);
}

async function mint(chain: Chain, token: Address, accounts: readonly Address[], amount: bigint): Promise<void> {
  const sent: Hex[] = [];
  // One after the other, or the chain would give two of them the same nonce.
  for (const account of accounts) {
    sent.push(
      await chain.writeContract({
        address: token,
        abi: tokenAbi,
        functionName: "mint",
        args: [account, amount],
        chain: null,
      }),
    );
  }
  for (const hash of sent) await mined(chain, hash);
}

async function deploy(chain: Chain, { abi, bytecode, contractName }: Artifact, args: unknown[]): Promise<Address> {
  const { contractAddress } = await mined(chain, await chain.deployContract({ abi, bytecode, args, chain: null }));
  if (!contractAddress) throw new Error(`${contractName} was not deployed`);
  return getAddress(contractAddress);
}

async function write(chain: Chain, address: Address, abi: Abi, functionName: string, args: unknown[]): Promise<void> {
  await mined(chain, await chain.writeContract({ address, abi, functionName, args, chain: null }));
}

/** The receipt, soon: a chain that mines by the clock is told to mine now. Throws when the transaction reverted. */
async function mined(chain: Chain, hash: Hex): Promise<TransactionReceipt> {
  for (let attempt = 0; attempt < RECEIPT_ATTEMPTS; attempt++) {
    const receipt = await chain.getTransactionReceipt({ hash }).catch(() => null);
    if (receipt?.status === "reverted") throw new Error(`a deployment transaction reverted: ${hash}`);
    if (receipt) return receipt;
    if (attempt % MINE_EVERY === MINE_EVERY - 1) await chain.mine({ blocks: 1 });
    else await sleep(RECEIPT_POLL_MS);
  }
  throw new Error(`a deployment transaction was not mined: ${hash}`);
}

async function holdsAll(chain: Chain, addresses: NetworkAddresses): Promise<boolean> {
  const codes = await Promise.all(Object.values(addresses).map((contract) => chain.getCode({ address: contract })));
  return codes.every((code) => code !== undefined && code !== "0x");
}

const addressFile = (stateFolder: string) => join(stateFolder, "addresses.json");

function readAddresses(stateFolder: string): NetworkAddresses | null {
  try {
    return networkAddresses.parse(JSON.parse(readFileSync(addressFile(stateFolder), "utf8")));
  } catch {
    return null;
  }
}

function writeAddresses(stateFolder: string, addresses: NetworkAddresses): void {
  mkdirSync(stateFolder, { recursive: true });
  const file = addressFile(stateFolder);
  writeFileSync(`${file}.new`, `${JSON.stringify(addresses, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}
