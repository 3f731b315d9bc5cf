/**
 * What the chain says of the node before it costs anything: contracts, ETH, BLIND, registration, stake and failures. Each
 * check is a finding of its own; reads only, nothing is sent.
 */
import type { Address } from "viem";
import { CONTRACT_SETTINGS, type ContractAddresses, type ContractName } from "../../core/chain/addresses.ts";
import { formatBlind } from "../../core/chain/blind.ts";
import { inWords } from "../../core/chain/duration.ts";
import { chainCall } from "../../core/chain/errors.ts";
import { type NodeView, type RegistryView, readNodeView, type StakeView } from "../../core/chain/reads.ts";
import type { ChainClient } from "../../core/chain/rpc.ts";
import { formatEth } from "../format.ts";
import { type Finding, failed, failure, fine, warning } from "./finding.ts";

/** A `storeKey` with two encrypted halves, the dearest that a node sends. */
const TRANSACTION_GAS = 600_000n;
/** Fewer leave no room for a rise in fees. */
const TRANSACTIONS_WANTED = 20n;
export const MIN_STAKE = 1000n * 10n ** 18n;
/** At the third failure in a row the contract takes the whole stake. */
const FATAL_FAILURES = 3;

/** Every contract that is configured must have code. */
export async function checkContracts(client: ChainClient, contracts: ContractAddresses): Promise<Finding[]> {
  const names = (Object.keys(CONTRACT_SETTINGS) as ContractName[]).filter((name) => contracts[name] !== undefined);
  if (names.length === 0) {
    return [warning("contracts", "no contract's address is set", "Set BLF_*_ADDRESS; the devnet prints its own.")];
  }
  try {
    const codes = await chainCall("reading the contracts", () =>
      Promise.all(names.map((name) => client.getCode({ address: contracts[name] as Address }))),
    );
    const bare = names.filter((_, index) => (codes[index] ?? "0x") === "0x");
    if (bare.length === 0) return [fine("contracts", `${names.length} contracts have code`)];
    return bare.map((name) =>
      failure(
        "contracts",
        `there is no contract at ${contracts[name]} (${CONTRACT_SETTINGS[name]})`,
        `Correct ${CONTRACT_SETTINGS[name]}, or remove it for the chain's default.`,
      ),
    );
  } catch (error) {
    return [failed("contracts", error)];
  }
}

/** Balances, registration, stake and failures of one node. */
export async function checkAccount(
  client: ChainClient,
  contracts: ContractAddresses,
  node: Address,
  nowSec: number,
): Promise<Finding[]> {
  try {
    const [view, gasPrice] = await Promise.all([
      readNodeView(client, contracts, node),
      chainCall("reading the gas price", () => client.getGasPrice()),
    ]);
    return [
      ether(view.ethWei, gasPrice, node),
      ...blind(view, node),
      ...(view.registry === null ? [] : [registration(view.registry, nowSec)]),
      ...(view.stake === null ? [] : [stake(view.stake, nowSec), failuresSoFar(view.stake)]),
    ];
  } catch (error) {
    return [failed("account", error)];
  }
}

function ether(balanceWei: bigint, gasPrice: bigint, node: string): Finding {
  const costWei = TRANSACTION_GAS * gasPrice;
  const enough = costWei === 0n ? TRANSACTIONS_WANTED : balanceWei / costWei;
  const detail = `${formatEth(balanceWei)}, enough for ${enough > 1000n ? "over 1000" : enough} transactions at today's fees`;
  const fix = `Send ETH of this testnet to ${node}.`;
  if (balanceWei === 0n || enough === 0n) return failure("eth", detail, fix);
  return enough < TRANSACTIONS_WANTED ? warning("eth", detail, fix) : fine("eth", detail);
}

function blind({ blindWei, stake: at }: NodeView, node: string): Finding[] {
  if (blindWei === null) return [];
  const detail = `${formatBlind(blindWei)} in the account`;
  const staked = at !== null && at.staked >= MIN_STAKE;
  if (staked || blindWei >= MIN_STAKE) return [fine("blind", detail)];
  return [failure("blind", `${detail}, less than the 1000 of a stake`, `Send BLIND of the testnet to ${node}.`)];
}

function registration(registry: RegistryView, nowSec: number): Finding {
  if (!registry.registered) {
    return warning("registration", "the node is not registered on chain", "Run `blindference-edge register`.");
  }
  const silentSec = nowSec - registry.lastHeartbeatSec;
  if (silentSec > registry.graceSec) {
    const detail = `registered, but silent for ${inWords(silentSec)} where ${inWords(registry.graceSec)} are allowed`;
    return failure("registration", detail, "Start the node: it sends the heartbeat by itself.");
  }
  if (!registry.active) {
    const expired = registry.attestationExpiresSec < nowSec;
    const detail = `registered, but not active${expired ? ": its attestation on chain has run out" : ""}`;
    return warning(
      "registration",
      detail,
      "The coordinator writes attestations on chain; see docs/operate/attestation.md.",
    );
  }
  return fine("registration", `registered, tier ${registry.tier}, active`);
}

function stake({ staked, unbonding, unbondingAvailableAtSec }: StakeView, nowSec: number): Finding {
  const detail = `${formatBlind(staked)} staked`;
  if (staked >= MIN_STAKE) return fine("stake", detail);
  if (unbonding > 0n) {
    const left = unbondingAvailableAtSec - nowSec;
    const until = left > 0 ? `free in ${inWords(left)}` : "free to withdraw";
    return warning(
      "stake",
      `${detail}, ${formatBlind(unbonding)} unbonding, ${until}`,
      "A node without a stake gets no jobs.",
    );
  }
  return warning("stake", `${detail}, and quorums take 1000 or more`, "Run `blindference-edge staking stake`.");
}

function failuresSoFar({ consecutiveFailures: count }: StakeView): Finding {
  const detail = `${count} of ${FATAL_FAILURES} failures in a row on chain`;
  if (count === 0) return fine("failures", detail);
  const fix = "Cure the reasons in `blindference-edge jobs list` first: the third failure costs the entire stake.";
  return count >= FATAL_FAILURES - 1 ? failure("failures", detail, fix) : warning("failures", detail, fix);
}
