import { decodeFunctionData } from "viem";
import { describe, expect, it } from "vitest";
import { nodeRegistryAbi, promptKeyStoreAbi, stakingAbi, tokenAbi } from "./abi.ts";
import type { ActionView } from "./action-view.ts";
import { type ActionParts, type ActionRequest, actionRequest, planAction } from "./actions.ts";
import { ARBITRUM_SEPOLIA, type ContractAddresses, resolveAddresses } from "./addresses.ts";
import { REGISTRATION_MAX_WEI } from "./signing-policy.ts";

const AT = resolveAddresses(ARBITRUM_SEPOLIA) as Required<ContractAddresses>;
const BLIND = 10n ** 18n;
const NOW = 1_800_000_000;
const ABI = [...nodeRegistryAbi, ...stakingAbi, ...tokenAbi, ...promptKeyStoreAbi];

const STAKE: NonNullable<ActionView["stake"]> = {
  staked: 0n,
  unbonding: 0n,
  unbondingAvailableAtSec: 0,
  consecutiveFailures: 0,
  active: false,
  minStake: 1000n * BLIND,
  balance: 1500n * BLIND,
  allowance: 0n,
};
const REGISTRY: NonNullable<ActionView["registry"]> = {
  registered: false,
  active: false,
  tier: 0,
  attestationHash: "0x00",
  attestationExpiresSec: 0,
  registeredAtSec: 0,
  lastHeartbeatSec: 0,
  graceSec: 950_400,
  models: [],
  stakeWei: 0n,
  minStakeWei: 0n,
  isAuthorizedIcl: false,
};

interface Given {
  stake?: Partial<typeof STAKE>;
  registry?: Partial<typeof REGISTRY>;
  ethWei?: bigint;
  certificate?: ActionParts["certificate"];
}
const CERTIFICATE = { certHash: `0x${"ab".repeat(16)}`, expirySec: NOW + 1, tier: 0 };

function plan(asked: Omit<ActionRequest, "id">, given: Given = {}) {
  return planAction(
    { id: "an-id-of-mine", ...asked },
    {
      node: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
      contracts: AT,
      view: {
        chainSec: NOW,
        ethWei: given.ethWei ?? BLIND,
        stake: { ...STAKE, ...given.stake },
        registry: { ...REGISTRY, ...given.registry },
      },
      certificate: given.certificate === undefined ? CERTIFICATE : given.certificate,
      models: ["groq:m"],
      stakeAmount: 1200,
    },
  );
}

/** The plan as `contract.function(arguments)`. */
function steps(...of: Parameters<typeof plan>): string[] {
  const planned = plan(...of);
  if (!planned.ok) throw new Error(planned.refusal.message);
  return planned.value.map(({ purpose, to, data }) => {
    const contract = Object.entries(AT).find(([, address]) => address === to)?.[0] ?? "?";
    const { functionName, args } = decodeFunctionData({ abi: ABI, data });
    expect(purpose).toMatch(/^action:an-id-of-mine:[a-z-]+$/);
    return `${contract}.${functionName}(${(args ?? []).map(String).join(" ")})`;
  });
}

describe("a plan", () => {
  const approve = (amount: bigint) => `token.approve(${AT.staking} ${amount})`;
  it.each([
    [
      "approves, then stakes",
      { action: "stake", amount: "1000.5" },
      {},
      [approve(10005n * 10n ** 17n), `staking.stake(${10005n * 10n ** 17n})`],
    ],
    [
      "stakes what the settings say where nothing is said",
      { action: "stake" },
      {},
      [approve(1200n * BLIND), `staking.stake(${1200n * BLIND})`],
    ],
    [
      "approves nothing that is approved",
      { action: "stake", amount: "1000" },
      { stake: { allowance: 1000n * BLIND } },
      [`staking.stake(${1000n * BLIND})`],
    ],
    ["takes the whole stake out", { action: "unstake" }, { stake: { staked: 1n } }, ["staking.initiateUnstake()"]],
    [
      "withdraws to the second",
      { action: "withdraw" },
      { stake: { unbonding: 1n, unbondingAvailableAtSec: NOW } },
      ["staking.completeUnstake()"],
    ],
    [
      "registers with the certificate, padded",
      { action: "register" },
      {},
      [`nodeRegistry.register(0 0x${"ab".repeat(16)}${"00".repeat(16)} ${NOW + 1} groq:m)`],
    ],
    [
      "updates its own attestation where it may",
      { action: "update-attestation" },
      { registry: { registered: true, isAuthorizedIcl: true } },
      [
        `nodeRegistry.updateAttestation(0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A 0x${"ab".repeat(16)}${"00".repeat(16)} 0 ${NOW + 1})`,
      ],
    ],
  ] as [string, Omit<ActionRequest, "id">, Given, string[]][])("%s", (_what, asked, given, expected) => {
    expect(steps(asked, given)).toEqual(expected);
  });

  it("sends the ether that registering takes", () => {
    const planned = plan({ action: "register" }, { registry: { minStakeWei: 5n } });
    expect(planned.ok && planned.value[0]?.value).toBe(5n);
  });
});

describe("an action is refused", () => {
  const inFourDays = { unbonding: 1000n * BLIND, unbondingAvailableAtSec: NOW + 345_600 };
  it.each([
    ["any, without ether", { action: "unstake" }, { ethWei: 0n }, "insufficient-funds", /no ETH/],
    [
      "a stake below the contract's least",
      { action: "stake", amount: "999.999999999999999999" },
      {},
      "action-refused",
      /at least 1000 BLIND/,
    ],
    [
      "a stake beyond the balance",
      { action: "stake", amount: "1500.000000000000000001" },
      {},
      "action-refused",
      /holds 1500 BLIND/,
    ],
    ["unstaking nothing", { action: "unstake" }, {}, "action-refused", /nothing is staked/],
    [
      "unstaking twice",
      { action: "unstake" },
      { stake: { ...inFourDays, staked: 1n } },
      "action-refused",
      /unbonding already: it can be withdrawn in 4 days, at 2027-01-19T08:00:00Z/,
    ],
    [
      "withdrawing a second early",
      { action: "withdraw" },
      { stake: { ...inFourDays, unbondingAvailableAtSec: NOW + 1 } },
      "action-refused",
      /in 1 second,/,
    ],
    ["withdrawing nothing", { action: "withdraw" }, {}, "action-refused", /nothing is unbonding/],
    [
      "registering twice",
      { action: "register" },
      { registry: { registered: true } },
      "action-refused",
      /registered already/,
    ],
    [
      "registering without a certificate",
      { action: "register" },
      { certificate: null },
      "action-refused",
      /no certificate/,
    ],
    [
      "registering with an expired one",
      { action: "register" },
      { certificate: { ...CERTIFICATE, expirySec: NOW } },
      "action-refused",
      /expired/,
    ],
    [
      "a registration beyond the account's ether",
      { action: "register" },
      { ethWei: 5n, registry: { minStakeWei: 5n } },
      "insufficient-funds",
      /asks for/,
    ],
    [
      "a registration that asks for too much",
      { action: "register" },
      { registry: { minStakeWei: REGISTRATION_MAX_WEI + 1n } },
      "action-refused",
      /more than the 0.1/,
    ],
    [
      "an attestation by a stranger to the registry",
      { action: "update-attestation" },
      {},
      "action-refused",
      /not registered/,
    ],
    [
      "an attestation by an ordinary node",
      { action: "update-attestation" },
      { registry: { registered: true } },
      "action-refused",
      /only the coordinator/,
    ],
  ] as [string, Omit<ActionRequest, "id">, Given, string, RegExp][])("%s", (_what, asked, given, code, words) => {
    const planned = plan(asked, given);
    expect(planned).toMatchObject({
      ok: false,
      refusal: { code, message: expect.stringMatching(words), hint: expect.stringMatching(/\w/) },
    });
  });

  it("where its contract is not configured, with the setting's name", () => {
    const { contracts: _contracts, ...parts } = {
      contracts: AT,
      view: { chainSec: NOW, ethWei: 1n, stake: null, registry: null },
    };
    const rest = { node: AT.token, certificate: null, models: [], stakeAmount: 1000 };
    for (const [action, setting] of [
      ["stake", "BLF_STAKING_ADDRESS"],
      ["withdraw", "BLF_STAKING_ADDRESS"],
      ["register", "BLF_NODE_REGISTRY_ADDRESS"],
    ] as const) {
      expect(() => planAction({ id: "12345678", action }, { ...parts, ...rest, contracts: {} })).toThrow(setting);
    }
  });
});

describe("a request", () => {
  it.each([
    [{ id: "12345678", action: "stake", amount: "1000" }, true],
    [{ id: "12345678", action: "unstake" }, true],
    [{ id: "a".repeat(64), action: "register" }, true],
    [{ id: "1234567", action: "stake" }, false],
    [{ id: "a".repeat(65), action: "stake" }, false],
    [{ id: "1234 678", action: "stake" }, false],
    [{ id: "12345678", action: "approve" }, false],
    [{ id: "12345678", action: "stake", amount: 1000 }, false],
    [{ id: "12345678", action: "stake", amount: "1e3" }, false],
    [{ id: "12345678", action: "unstake", amount: "1000" }, false],
    [{ id: "12345678", action: "stake", to: AT.token }, false],
    [{ id: "12345678", action: "stake", value: "1" }, false],
    [{ action: "stake" }, false],
    [null, false],
  ])("%j is taken: %s", (json, taken) => {
    expect(actionRequest.safeParse(json).success).toBe(taken);
  });
});
