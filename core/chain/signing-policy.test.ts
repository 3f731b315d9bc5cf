import fc from "fast-check";
import {
  type Address,
  encodeFunctionData,
  type Hex,
  parseGwei,
  recoverTransactionAddress,
  type TransactionSerializable,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import { nodeRegistryAbi, promptKeyStoreAbi, stakingAbi, tokenAbi } from "./abi.ts";
import { ARBITRUM_SEPOLIA, type ContractAddresses, resolveAddresses } from "./addresses.ts";
import * as calls from "./calls.ts";
import { MAINNETS } from "./mainnets.ts";
import { guardSigner, policyOf, REGISTRATION_MAX_WEI, refusalOf, type SigningPolicy } from "./signing-policy.ts";
import { noOp } from "./transaction.ts";

const ACCOUNT = privateKeyToAccount(`0x${"11".repeat(32)}`);
const STRANGER: Address = "0x000000000000000000000000000000000000dEaD";
const AT = resolveAddresses(ARBITRUM_SEPOLIA) as Required<ContractAddresses>;
const POLICY: SigningPolicy = { chainId: ARBITRUM_SEPOLIA, contracts: AT, maxFeePerGasWei: parseGwei("10") };
const signer = guardSigner(ACCOUNT, POLICY);

const REGISTRATION = { tier: 0, certHash: "0xab", expiresAtSec: 1, models: ["groq:m"], stakeWei: 0n };
const INPUT = { ctHash: "1", securityZone: 0, utype: 6, signature: "0x12" };
const KEY = { purpose: "k", storeJobId: `0x${"ab".repeat(32)}`, high: INPUT, low: INPUT, allowed: [STRANGER] } as const;

/** Every call that a node makes. */
const OURS: Record<string, calls.Call> = {
  heartbeat: calls.heartbeatCall(AT.nodeRegistry, 0),
  register: calls.registerCall(AT.nodeRegistry, "p", REGISTRATION),
  "register with ether": calls.registerCall(AT.nodeRegistry, "p", { ...REGISTRATION, stakeWei: REGISTRATION_MAX_WEI }),
  updateAttestation: calls.updateAttestationCall(AT.nodeRegistry, "p", ACCOUNT.address, REGISTRATION),
  approve: calls.approveCall(AT.token, "p", AT.staking, 1n),
  stake: calls.stakeCall(AT.staking, "p", 1n),
  initiateUnstake: calls.initiateUnstakeCall(AT.staking, "p"),
  completeUnstake: calls.completeUnstakeCall(AT.staking, "p"),
  storeKey: calls.storeKeyCall(AT.promptKeyStore, KEY),
  "the no-op": noOp(ACCOUNT.address, "p"),
};

function transaction({ to, data, value = 0n }: calls.Call, changes: object = {}): TransactionSerializable {
  const fees = { maxFeePerGas: parseGwei("3"), maxPriorityFeePerGas: 1n };
  return { type: "eip1559", chainId: ARBITRUM_SEPOLIA, nonce: 0, gas: 300_000n, to, data, value, ...fees, ...changes };
}

const call = (to: Address, data: Hex, value = 0n): calls.Call => ({ purpose: "p", to, data, value });
const refusal = { code: "signing-refused", retry: "never", hint: expect.stringContaining("BLF_") };
const heartbeat = OURS.heartbeat as calls.Call;
const approve = OURS.approve as calls.Call;

describe("a node's own call", () => {
  it.each(Object.entries(OURS))("is signed: %s", async (_name, own) => {
    const serializedTransaction = (await signer.signTransaction(transaction(own))) as `0x02${string}`;
    expect(await recoverTransactionAddress({ serializedTransaction })).toBe(ACCOUNT.address);
  });
});

describe("a forgery", () => {
  const transfer = encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args: [STRANGER, 1n] });
  const transferFrom = encodeFunctionData({
    abi: tokenAbi,
    functionName: "transferFrom",
    args: [ACCOUNT.address, STRANGER, 1n],
  });
  const slash = encodeFunctionData({ abi: stakingAbi, functionName: "slash", args: [STRANGER, 1n, ""] });
  const grant = encodeFunctionData({
    abi: promptKeyStoreAbi,
    functionName: "grantDecryptAccess",
    args: [KEY.storeJobId, STRANGER],
  });
  const handOver = encodeFunctionData({ abi: nodeRegistryAbi, functionName: "transferOwnership", args: [STRANGER] });
  const targets: [string, calls.Call][] = [
    ["a stranger gets ether", call(STRANGER, "0x", 1n)],
    ["a stranger gets nothing", call(STRANGER, "0x")],
    ["a stranger's contract is called with our data", call(STRANGER, heartbeat.data)],
    ["a contract of the network that a node never writes to", call(AT.resultRegistry, "0x")],
    ["a contract gets ether without a call", call(AT.staking, "0x", 1n)],
    ["a contract gets an empty call", call(AT.staking, "0x")],
    ["half a selector", call(AT.staking, "0x3a4b")],
    ["the token is sent", call(AT.token, transfer)],
    ["the token is taken", call(AT.token, transferFrom)],
    ["the approval is for a stranger", calls.approveCall(AT.token, "p", STRANGER, 1n)],
    ["the approval is for the account itself", calls.approveCall(AT.token, "p", ACCOUNT.address, 1n)],
    ["an approval sent to the staking contract", call(AT.staking, approve.data)],
    ["a stake sent to the token", call(AT.token, (OURS.stake as calls.Call).data)],
    ["a heartbeat sent to the key store", call(AT.promptKeyStore, heartbeat.data)],
    ["a heartbeat with ether", { ...heartbeat, value: 1n }],
    ["a stake with ether", { ...(OURS.stake as calls.Call), value: 1n }],
    [
      "a registration with more ether than the network asks",
      { ...(OURS.register as calls.Call), value: REGISTRATION_MAX_WEI + 1n },
    ],
    ["another node's attestation", calls.updateAttestationCall(AT.nodeRegistry, "p", STRANGER, REGISTRATION)],
    ["the registration's ether is withdrawn", calls.withdrawRegistrationCall(AT.nodeRegistry, "p")],
    ["somebody is slashed", call(AT.staking, slash)],
    ["somebody else may decrypt", call(AT.promptKeyStore, grant)],
    ["the registry changes hands", call(AT.nodeRegistry, handOver)],
    ["bytes ride along behind a call", call(AT.nodeRegistry, `${heartbeat.data}00`)],
    ["bytes ride along behind arguments", call(AT.token, `${approve.data}${"00".repeat(32)}`)],
    ["arguments are cut short", call(AT.token, approve.data.slice(0, -2) as Hex)],
    ["the account sends itself ether", { ...noOp(ACCOUNT.address, "p"), value: 1n }],
    ["the account calls itself", { ...noOp(ACCOUNT.address, "p"), data: heartbeat.data }],
    ["a negative value", { ...heartbeat, value: -1n }],
  ];
  it.each(targets)("is refused: %s", async (_name, forged) => {
    await expect(signer.signTransaction(transaction(forged))).rejects.toMatchObject(refusal);
  });

  const shapes: [string, object][] = [
    ["of the old kind", { type: "legacy", gasPrice: 1n, maxFeePerGas: undefined, maxPriorityFeePerGas: undefined }],
    ["without a kind", { type: undefined }],
    ["with blobs", { type: "eip4844", blobVersionedHashes: [], maxFeePerBlobGas: 1n }],
    ["that delegates the account", { type: "eip7702", authorizationList: [] }],
    ["with an access list", { accessList: [] }],
    ["with a delegation hidden in it", { authorizationList: [{ address: STRANGER, chainId: 0, nonce: 0 }] }],
    ["without a chain", { chainId: undefined }],
    ["for any chain", { chainId: 0 }],
    ["for another testnet", { chainId: 11155111 }],
    ...Object.keys(MAINNETS).map((id): [string, object] => [`for mainnet ${id}`, { chainId: Number(id) }]),
    ["without a nonce", { nonce: undefined }],
    ["with half a nonce", { nonce: 0.5 }],
    ["with a negative nonce", { nonce: -1 }],
    ["that creates a contract", { to: undefined }],
    ["that creates a contract, said otherwise", { to: null }],
    ["a wei above the fee cap", { maxFeePerGas: parseGwei("10") + 1n }],
    ["with a tip above its fee", { maxPriorityFeePerGas: parseGwei("4") }],
    ["without fees", { maxFeePerGas: undefined }],
    ["without gas", { gas: undefined }],
    ["with gas without end", { gas: 20_000_001n, maxFeePerGas: 1n }],
    ["whose fees together are too much", { gas: 2_000_001n, maxFeePerGas: parseGwei("10") }],
    ["whose amounts are numbers", { gas: 300_000 }],
  ];
  it.each(shapes)("is refused: one %s", async (_name, changes) => {
    await expect(signer.signTransaction(transaction(heartbeat, changes))).rejects.toMatchObject(refusal);
  });

  it("of a chain that is a mainnet by the settings themselves is refused", () => {
    const policy = { ...POLICY, chainId: 42161 };
    expect(refusalOf(transaction(heartbeat, { chainId: 42161 }), ACCOUNT.address, policy)).toMatch(/no testnet/);
  });

  it("of a bare hash or a delegation is refused, and messages are signed as before", async () => {
    await expect(signer.sign?.({ hash: KEY.storeJobId })).rejects.toMatchObject(refusal);
    const delegation = { address: STRANGER, chainId: ARBITRUM_SEPOLIA, nonce: 0 };
    await expect(signer.signAuthorization?.(delegation)).rejects.toMatchObject(refusal);
    expect(await signer.signMessage({ message: "m" })).toBe(await ACCOUNT.signMessage({ message: "m" }));
  });

  it("of a contract that is not configured has nowhere to go", () => {
    const policy = { ...POLICY, contracts: { token: AT.token } };
    expect(refusalOf(transaction(approve), ACCOUNT.address, policy)).toMatch(/spender/);
    expect(refusalOf(transaction(heartbeat), ACCOUNT.address, policy)).toMatch(/none of the network's contracts/);
  });
});

describe("whatever is asked for", () => {
  const address = fc.constantFrom<Address>(...(Object.values(AT) as Address[]), ACCOUNT.address, STRANGER);
  const bytes = fc
    .uint8Array({ maxLength: 80 })
    .map((array) => `0x${[...array].map((byte) => byte.toString(16).padStart(2, "0")).join("")}` as Hex);
  const data = fc.oneof(
    bytes,
    fc
      .tuple(fc.constantFrom(...Object.values(OURS).map((own) => own.data)), bytes)
      .map(([own, more]) => `${own}${more.slice(2)}` as Hex),
    fc.constantFrom(...Object.values(OURS).map((own) => own.data)),
  );
  const amount = fc.bigInt({ min: 0n, max: 2n * REGISTRATION_MAX_WEI });

  it("what is signed is one of the node's own calls, within the caps", () => {
    fc.assert(
      fc.property(
        address,
        data,
        fc.oneof(fc.constant(0n), amount),
        fc.bigInt({ min: 0n, max: parseGwei("20") }),
        (to, bytesSent, value, maxFeePerGas) => {
          const asked = transaction(call(to, bytesSent, value), { maxFeePerGas, maxPriorityFeePerGas: 0n });
          if (refusalOf(asked, ACCOUNT.address, POLICY) !== null) return true;
          const own = Object.values(OURS).some(
            (one) =>
              one.to === to &&
              one.data.slice(0, 10) === bytesSent.slice(0, 10) &&
              (value === 0n || bytesSent.startsWith((OURS.register as calls.Call).data.slice(0, 10))),
          );
          return own && maxFeePerGas <= POLICY.maxFeePerGasWei && value <= REGISTRATION_MAX_WEI;
        },
      ),
      { numRuns: 3_000, seed: 7 },
    );
  });
});

describe("the policy of the settings", () => {
  it("has their chain, contracts and cap", () => {
    const settings = { cofhe: { chainId: 31337 }, contracts: { token: AT.token }, maxFeeGwei: "0.5" };
    expect(policyOf(settings)).toEqual({
      chainId: 31337,
      contracts: { token: AT.token },
      maxFeePerGasWei: 500_000_000n,
    });
  });
});
