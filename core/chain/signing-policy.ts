/**
 * What stands before the key: an account that signs a transaction only for the settings' own testnet, to one of the
 * network's contracts, by one of the calls a node makes, within caps on ether, gas and fees. Whatever else is asked for
 * (a bare hash, a delegation of the account) is refused, whoever asks. Invariant: refusing signs nothing.
 */
import {
  type Abi,
  type Address,
  decodeFunctionData,
  encodeFunctionData,
  formatEther,
  formatGwei,
  type Hex,
  parseGwei,
  type TransactionSerializable,
} from "viem";
import { NodeError } from "../errors.ts";
import type { Signer } from "../signer.ts";
import { nodeRegistryAbi, promptKeyStoreAbi, stakingAbi, tokenAbi } from "./abi.ts";
import type { ContractAddresses, ContractName } from "./addresses.ts";
import { isTestnet } from "./testnets.ts";

export interface SigningPolicy {
  chainId: number;
  contracts: ContractAddresses;
  /** The most wei per gas. */
  maxFeePerGasWei: bigint;
}

/** The settings that make the policy. */
export interface PolicySettings {
  cofhe: { chainId: number };
  contracts: ContractAddresses;
  maxFeeGwei: string;
}

export function policyOf({ cofhe, contracts, maxFeeGwei }: PolicySettings): SigningPolicy {
  return { chainId: cofhe.chainId, contracts, maxFeePerGasWei: parseGwei(maxFeeGwei) };
}

declare const guarded: unique symbol;
/** A signer that the policy stands before; only `guardSigner` makes one. */
export type GuardedSigner = Signer & { readonly policy: SigningPolicy; readonly [guarded]: true };

/** On Arbitrum the share of the layer below is paid in gas and can be many times the call's own. */
const GAS_MAX = 20_000_000n;
/** A transaction's fees together may be what this much gas costs at the fee cap; a storeKey takes 300,000. */
const GAS_AT_CAP = 2_000_000n;
/** Ether put down at registration: the network asks for none today. */
export const REGISTRATION_MAX_WEI = 10n ** 17n;

interface Rule {
  contract: ContractName;
  abi: Abi;
  calls: Readonly<Record<string, (args: readonly unknown[], about: About) => string | null>>;
}
interface About {
  from: Address;
  contracts: ContractAddresses;
}

const anything = () => null;
const RULES: readonly Rule[] = [
  {
    contract: "nodeRegistry",
    abi: nodeRegistryAbi,
    calls: {
      register: anything,
      heartbeat: anything,
      updateAttestation: ([node], { from }) => (same(node, from) ? null : "it is about another node"),
    },
  },
  {
    contract: "token",
    abi: tokenAbi,
    calls: {
      approve: ([spender], { contracts }) =>
        same(spender, contracts.staking) ? null : "the spender is not the staking contract",
    },
  },
  {
    contract: "staking",
    abi: stakingAbi,
    calls: { stake: anything, initiateUnstake: anything, completeUnstake: anything },
  },
  { contract: "promptKeyStore", abi: promptKeyStoreAbi, calls: { storeKey: anything } },
];

/** The account behind the policy. Messages and typed data are signed as before: neither can move anything on chain. */
export function guardSigner(signer: Signer, policy: SigningPolicy): GuardedSigner {
  const refused = async () => {
    throw refusal("this kind of signature is never given");
  };
  const { sign: _sign, signAuthorization: _signAuthorization, ...rest } = signer;
  const account = {
    ...rest,
    policy,
    sign: refused,
    signAuthorization: refused,
    signTransaction: async (transaction: TransactionSerializable): Promise<Hex> => {
      const reason = refusalOf(transaction, signer.address, policy);
      if (reason !== null) throw refusal(reason);
      return signer.signTransaction(transaction);
    },
  };
  return account as typeof account & GuardedSigner;
}

/** Why the policy refuses a transaction; null where it is signed. */
export function refusalOf(transaction: TransactionSerializable, from: Address, policy: SigningPolicy): string | null {
  return (
    shapeFault(transaction) ??
    chainFault(transaction.chainId, policy.chainId) ??
    priceFault(transaction, policy.maxFeePerGasWei) ??
    callFault(transaction, from, policy.contracts)
  );
}

const FIELDS = new Set([
  "type",
  "chainId",
  "nonce",
  "to",
  "data",
  "value",
  "gas",
  "maxFeePerGas",
  "maxPriorityFeePerGas",
]);

/** One kind of transaction, with these fields and no others: an access list or a blob has no use here. */
function shapeFault(transaction: TransactionSerializable): string | null {
  if (transaction.type !== "eip1559") return "it is not an EIP-1559 transaction";
  const others = Object.entries(transaction).filter(([name, value]) => !FIELDS.has(name) && value !== undefined);
  if (others.length > 0) return `it carries ${others.map(([name]) => name).join(", ")}`;
  const { nonce } = transaction;
  return Number.isSafeInteger(nonce) && (nonce ?? -1) >= 0 ? null : "its nonce is none";
}

function chainFault(chainId: number | undefined, expected: number): string | null {
  if (!isTestnet(expected)) return `chain ${expected} is no testnet of the network`;
  return chainId === expected ? null : `it is for chain ${chainId ?? "any"}, not ${expected}`;
}

function priceFault({ gas, maxFeePerGas, maxPriorityFeePerGas }: TransactionSerializable, cap: bigint): string | null {
  if (!isAmount(gas) || !isAmount(maxFeePerGas) || !isAmount(maxPriorityFeePerGas)) return "it names no gas or fees";
  if (maxPriorityFeePerGas > maxFeePerGas) return "its tip is more than its fee";
  if (maxFeePerGas > cap) {
    return `it offers ${formatGwei(maxFeePerGas)} gwei, and BLF_MAX_FEE_GWEI is ${formatGwei(cap)}`;
  }
  if (gas > GAS_MAX) return `it asks for ${gas} gas`;
  const most = GAS_AT_CAP * cap;
  return gas * maxFeePerGas > most ? `its fees may come to more than ${formatEther(most)} ETH` : null;
}

function callFault(
  { to, data = "0x", value = 0n }: TransactionSerializable,
  from: Address,
  contracts: ContractAddresses,
): string | null {
  if (typeof value !== "bigint" || value < 0n) return "its value is none";
  if (!to) return "it creates a contract";
  if (same(to, from)) return data === "0x" && value === 0n ? null : "it sends something to the account itself";
  const rule = RULES.find(({ contract }) => same(to, contracts[contract]));
  if (rule === undefined) return `${to} is none of the network's contracts`;
  const call = decoded(rule.abi, data);
  const check = call === null ? undefined : ownValue(rule.calls, call.functionName);
  if (call === null || check === undefined) return `${data.slice(0, 10)} is no call that a node makes there`;
  const most = call.functionName === "register" ? REGISTRATION_MAX_WEI : 0n;
  if (value > most) return `${call.functionName} may send ${formatEther(most)} ETH, not ${formatEther(value)}`;
  return check(call.args, { from, contracts });
}

/** The call, if these bytes are exactly what encodes it: nothing rides along behind the arguments. */
function decoded(abi: Abi, data: Hex): { functionName: string; args: readonly unknown[] } | null {
  try {
    const { functionName, args = [] } = decodeFunctionData({ abi, data });
    return encodeFunctionData({ abi, functionName, args }) === data.toLowerCase() ? { functionName, args } : null;
  } catch {
    return null;
  }
}

function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function same(one: unknown, other: Address | undefined): boolean {
  return typeof one === "string" && other !== undefined && one.toLowerCase() === other.toLowerCase();
}

function isAmount(amount: unknown): amount is bigint {
  return typeof amount === "bigint" && amount >= 0n;
}

function refusal(reason: string): NodeError {
  return new NodeError("signing-refused", `not signed: ${reason}`, {
    retry: "never",
    hint: "The node signs its own calls to the network's contracts only; check BLF_*_ADDRESS and BLF_MAX_FEE_GWEI.",
  });
}
