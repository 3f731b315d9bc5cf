/**
 * What an operator may have the node's account do on chain, planned from what the chain says now: which calls it takes,
 * or why it is refused before anything costs gas. Pure. Only our contracts are ever called, with fixed destinations.
 */
import { type Address, formatEther } from "viem";
import * as z from "zod";
import type { NodeCertificate } from "../attestation/attest.ts";
import type { ErrorCode } from "../errors.ts";
import { ok, type Result, refuse } from "../result.ts";
import type { ActionView } from "./action-view.ts";
import { type ContractAddresses, requireAddress } from "./addresses.ts";
import { formatBlind, readBlind } from "./blind.ts";
import {
  approveCall,
  type Call,
  completeUnstakeCall,
  initiateUnstakeCall,
  registerCall,
  stakeCall,
  updateAttestationCall,
} from "./calls.ts";
import { inWords } from "./duration.ts";
import { REGISTRATION_MAX_WEI } from "./signing-policy.ts";

export const ACTIONS = ["stake", "unstake", "withdraw", "register", "update-attestation"] as const;
export type ActionName = (typeof ACTIONS)[number];

/** An action as it is asked for. The id is the asker's own: the same id asks for the same action, once. */
export const actionRequest = z
  .strictObject({
    id: z.string().regex(/^[A-Za-z0-9_-]{8,64}$/, "must be 8 to 64 characters of A-Z, a-z, 0-9, _ and -"),
    action: z.enum(ACTIONS),
    /** Only of a stake: decimal BLIND. */
    amount: z
      .string()
      .max(64)
      .refine((text) => readBlind(text).ok, "must be an amount of BLIND like 1000 or 1000.5")
      .optional(),
  })
  .refine(({ action, amount }) => amount === undefined || action === "stake", {
    path: ["amount"],
    message: "only a stake has an amount",
  });
export type ActionRequest = z.output<typeof actionRequest>;

/** What a plan is made from, besides the chain. */
export interface ActionParts {
  node: Address;
  contracts: ContractAddresses;
  view: ActionView;
  /** The node's own, and the models it names. */
  certificate: Pick<NodeCertificate, "certHash" | "expirySec" | "tier"> | null;
  models: readonly string[];
  /** Whole BLIND, where a stake names no amount. */
  stakeAmount: number;
}

export interface ActionRefusal {
  code: ErrorCode;
  message: string;
  hint: string;
}

type Plan = Result<readonly Call[], ActionRefusal>;

/** The calls of an action, in the order in which they must succeed. Throws NodeError `settings` for a contract that is not configured. */
export function planAction(request: ActionRequest, parts: ActionParts): Plan {
  if (parts.view.ethWei === 0n) {
    return refuse({
      code: "insufficient-funds",
      message: `${parts.node} has no ETH to pay for gas`,
      hint: "Send some ETH of this chain to the node's address; a faucet gives enough.",
    });
  }
  switch (request.action) {
    case "stake":
      return planStake(request, parts);
    case "unstake":
      return planUnstake(request, parts);
    case "withdraw":
      return planWithdraw(request, parts);
    case "register":
      return planRegister(request, parts);
    case "update-attestation":
      return planUpdate(request, parts);
  }
}

/** The purpose of an action's step. */
export function purposeOf(id: string, step: string): string {
  return `action:${id}:${step}`;
}

function planStake({ id, amount: asked }: ActionRequest, { contracts, view, stakeAmount }: ActionParts): Plan {
  const staking = requireAddress(contracts, "staking");
  const token = requireAddress(contracts, "token");
  const stake = required(view.stake);
  const amount = readBlind(asked ?? String(stakeAmount));
  if (!amount.ok) return no(`the amount ${amount.refusal}`, "Name an amount like 1000 or 1000.5.");
  if (amount.value < stake.minStake) {
    const least = formatBlind(stake.minStake);
    return no(`a stake is at least ${least}, each time`, `Stake ${least} or more at once.`);
  }
  if (stake.balance < amount.value) {
    const message = `the account holds ${formatBlind(stake.balance)}, and ${formatBlind(amount.value)} are to be staked`;
    return no(message, "Get BLIND for the node's address first, or stake less.");
  }
  const approve = approveCall(token, purposeOf(id, "approve"), staking, amount.value);
  return ok([
    ...(stake.allowance < amount.value ? [approve] : []),
    stakeCall(staking, purposeOf(id, "stake"), amount.value),
  ]);
}

function planUnstake({ id }: ActionRequest, { contracts, view }: ActionParts): Plan {
  const staking = requireAddress(contracts, "staking");
  const stake = required(view.stake);
  if (stake.unbonding > 0n) {
    return no(`${formatBlind(stake.unbonding)} are unbonding already: ${readiness(view)}`, "Withdraw them first.");
  }
  if (stake.staked === 0n) return no("nothing is staked", "There is nothing to take out.");
  return ok([initiateUnstakeCall(staking, purposeOf(id, "unstake"))]);
}

function planWithdraw({ id }: ActionRequest, { contracts, view }: ActionParts): Plan {
  const staking = requireAddress(contracts, "staking");
  const stake = required(view.stake);
  if (stake.unbonding === 0n) {
    const hint = stake.staked > 0n ? "Unstake first; unbonding takes 96 hours." : "There is nothing to take out.";
    return no("nothing is unbonding", hint);
  }
  if (stake.unbondingAvailableAtSec > view.chainSec) {
    return no(`${formatBlind(stake.unbonding)} are still unbonding: ${readiness(view)}`, "Withdraw them then.");
  }
  return ok([completeUnstakeCall(staking, purposeOf(id, "withdraw"))]);
}

function planRegister({ id }: ActionRequest, parts: ActionParts): Plan {
  const { contracts, view, models } = parts;
  const contract = requireAddress(contracts, "nodeRegistry");
  const registry = required(view.registry);
  if (registry.registered) {
    return no("the node is registered already, which happens once per address", "There is nothing to do.");
  }
  const certificate = certificateOf(parts);
  if (!certificate.ok) return certificate;
  const stakeWei = registry.minStakeWei;
  if (stakeWei > REGISTRATION_MAX_WEI) {
    const message = `the registry asks for ${formatEther(stakeWei)} ETH, more than the ${formatEther(REGISTRATION_MAX_WEI)} that a node puts down`;
    return no(message, "Check BLF_NODE_REGISTRY_ADDRESS.");
  }
  if (view.ethWei <= stakeWei) {
    const message = `the registry asks for ${formatEther(stakeWei)} ETH, and the account has ${formatEther(view.ethWei)}`;
    return refuse({ code: "insufficient-funds", message, hint: "Send ETH of this chain to the node's address." });
  }
  return ok([registerCall(contract, purposeOf(id, "register"), { ...certificate.value, models, stakeWei })]);
}

function planUpdate({ id }: ActionRequest, parts: ActionParts): Plan {
  const { node, contracts, view } = parts;
  const contract = requireAddress(contracts, "nodeRegistry");
  const registry = required(view.registry);
  if (!registry.registered) return no("the node is not registered", "Register it first.");
  if (!registry.isAuthorizedIcl) {
    const message =
      "only the coordinator may write attestations on chain: from this account it would revert and burn gas";
    return no(message, "There is nothing to do: the coordinator renews the attestation from the node's certificate.");
  }
  const certificate = certificateOf(parts);
  return certificate.ok
    ? ok([updateAttestationCall(contract, purposeOf(id, "update-attestation"), node, certificate.value)])
    : certificate;
}

function certificateOf({
  certificate,
  view,
}: ActionParts): Result<{ tier: number; certHash: string; expiresAtSec: number }, ActionRefusal> {
  if (certificate === null || certificate.expirySec <= view.chainSec) {
    const message = certificate === null ? "the node has no certificate yet" : "the node's certificate has expired";
    return no(message, "Attest first (POST /api/attest), and see lastError in GET /api/status if that fails.");
  }
  const { tier, certHash, expirySec } = certificate;
  return ok({ tier, certHash, expiresAtSec: expirySec });
}

/** When what unbonds can be withdrawn, in words. */
function readiness({ stake, chainSec }: ActionView): string {
  const atSec = required(stake).unbondingAvailableAtSec;
  const at = new Date(atSec * 1000).toISOString().replace(".000Z", "Z");
  return atSec > chainSec
    ? `it can be withdrawn in ${inWords(atSec - chainSec)}, at ${at}`
    : `it can be withdrawn since ${at}`;
}

function no(message: string, hint: string): { ok: false; refusal: ActionRefusal } {
  return refuse({ code: "action-refused", message, hint });
}

/** The view of a contract whose address is configured is there. */
function required<T>(part: T | null): T {
  if (part === null) throw new Error("a configured contract was not read");
  return part;
}
