import { decodeFunctionData } from "viem";
import { describe, expect, it } from "vitest";
import { nodeRegistryAbi, promptKeyStoreAbi, stakingAbi, tokenAbi } from "./abi.ts";
import { requireAddress, resolveAddresses } from "./addresses.ts";
import * as calls from "./calls.ts";

const CONTRACT = "0x72C0Ead949Fd2C346598a30AF1A69c3c5Cb86082";
const OTHER = "0x222Ac74201Ed58915e42Ee5be626d939fd234D0b";
const TASK = `0x${"5c".repeat(32)}` as const;

describe("a call", () => {
  it("stores a key's halves with their handles as integers", () => {
    const handle = (1n << 255n) + 1n;
    const input = { ctHash: handle.toString(), securityZone: 0, utype: 6, signature: "0xabcd" };
    const call = calls.storeKeyCall(CONTRACT, {
      purpose: "output-key:1",
      storeJobId: TASK,
      high: input,
      low: { ...input, ctHash: "7" },
      allowed: [OTHER],
    });
    expect(call).toMatchObject({ purpose: "output-key:1", to: CONTRACT });
    expect(call.value).toBeUndefined();
    expect(decodeFunctionData({ abi: promptKeyStoreAbi, data: call.data })).toEqual({
      functionName: "storeKey",
      args: [TASK, { ...input, ctHash: handle }, { ...input, ctHash: 7n }, [OTHER]],
    });
  });

  it("registers with the stake as value", () => {
    const registration = { tier: 2, certHash: "0xAB", expiresAtSec: 1_800_000_000, models: ["mock:a"], stakeWei: 9n };
    const call = calls.registerCall(CONTRACT, "register", registration);
    expect(call).toMatchObject({ purpose: "register", to: CONTRACT, value: 9n });
    expect(decodeFunctionData({ abi: nodeRegistryAbi, data: call.data }).args).toEqual([
      2,
      `0xab${"00".repeat(31)}`,
      1_800_000_000n,
      ["mock:a"],
    ]);
  });

  it("for a heartbeat has one purpose for each last heartbeat", () => {
    expect(calls.heartbeatCall(CONTRACT, 17).purpose).toBe("heartbeat:17");
    expect(calls.heartbeatCall(CONTRACT, 17)).toEqual(calls.heartbeatCall(CONTRACT, 17));
  });

  it("approves the staking contract at the token", () => {
    const call = calls.approveCall(CONTRACT, "approve", OTHER, 5n);
    expect(call.to).toBe(CONTRACT);
    expect(decodeFunctionData({ abi: tokenAbi, data: call.data })).toEqual({
      functionName: "approve",
      args: [OTHER, 5n],
    });
  });

  it.each([
    [calls.stakeCall(OTHER, "p", 5n), "stake"],
    [calls.initiateUnstakeCall(OTHER, "p"), "initiateUnstake"],
    [calls.completeUnstakeCall(OTHER, "p"), "completeUnstake"],
  ])("on the stake goes to the staking contract", (call, functionName) => {
    expect(call.to).toBe(OTHER);
    expect(decodeFunctionData({ abi: stakingAbi, data: call.data }).functionName).toBe(functionName);
  });
});

describe("a certificate's hash", () => {
  it.each([
    [`0x${"A1".repeat(16)}`, `0x${"a1".repeat(16)}${"00".repeat(16)}`],
    ["ff", `0xff${"00".repeat(31)}`],
    [TASK, TASK],
  ])("%s is padded on the right", (certHash, padded) => {
    expect(calls.padCertHash(certHash)).toBe(padded);
  });
});

describe("addresses", () => {
  it("default on Arbitrum Sepolia, and an override replaces its own only", () => {
    const addresses = resolveAddresses(421614, { staking: CONTRACT, token: undefined });
    expect(addresses).toMatchObject({
      staking: CONTRACT,
      nodeRegistry: CONTRACT,
      token: "0x232D5470DaaC7AD552a42d876aDEF1f778033cE0",
    });
  });

  it("have no default on a devnet, and a missing one is named by its setting", () => {
    const addresses = resolveAddresses(31337, { token: OTHER });
    expect(addresses).toEqual({ token: OTHER });
    expect(() => requireAddress(addresses, "promptKeyStore")).toThrow("BLF_PROMPT_KEY_STORE_ADDRESS is not set");
    expect(requireAddress(addresses, "token")).toBe(OTHER);
  });
});
