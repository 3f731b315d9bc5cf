import { PermitUtils } from "@cofhe/sdk/permits";
import { generatePrivateKey } from "viem/accounts";
import { beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../secret.ts";
import { localSigner } from "../signer.ts";
import { createPermitKeeper } from "./permits.ts";
import type { Permit, Sdk } from "./sdk.ts";

const CHAIN = 421614;
const DAY_MS = 86_400_000;
const signer = localSigner(new Secret(generatePrivateKey()));

let nowMs: number;
let signings: number;
let stored: string | null;
let fail: Error | null;

beforeEach(() => {
  nowMs = Date.now();
  signings = 0;
  stored = null;
  fail = null;
});

const clock = { now: () => nowMs, sleep: async () => undefined };
const store = {
  load: async () => stored,
  save: async (text: string) => {
    stored = text;
  },
};

/** Signs as the SDK does, in form only: nobody checks the signature here. */
async function signSelfPermit(name: string, expiresAtSec: number): Promise<Permit> {
  await Promise.resolve();
  if (fail) throw fail;
  const permit = PermitUtils.createSelf({ issuer: signer.address, name, expiration: expiresAtSec });
  const domain = { name: "ACL", version: "1", chainId: CHAIN, verifyingContract: signer.address };
  return { ...permit, issuerSignature: `0x${(++signings).toString(16).padStart(130, "0")}`, _signedDomain: domain };
}

function keeper(chainId = CHAIN) {
  const sdk: Sdk = {
    signSelfPermit,
    decrypt: () => Promise.reject(new Error("not here")),
    encrypt: () => Promise.reject(new Error("not here")),
  };
  return createPermitKeeper({ sdk, signer, chainId, store, clock });
}

describe("the permit", () => {
  it("is signed once for all who ask at the same time, and lasts 30 days", async () => {
    const permits = keeper();
    const [first, ...others] = await Promise.all([permits.current(), permits.current(), permits.current()]);
    expect(others).toEqual([first, first]);
    expect(signings).toBe(1);
    expect(first?.expiration).toBe(Math.floor(nowMs / 1000) + 30 * 86_400);
  });

  it.each([
    ["a day and a bit before it expires", 28.9, 1],
    ["less than a day before it expires", 29.1, 2],
  ])("%s serves, from memory and from the store alike", async (_when, days, expected) => {
    const permits = keeper();
    await permits.current();
    nowMs += days * DAY_MS;
    await permits.current();
    expect(signings).toBe(expected);
    await keeper().current();
    expect(signings).toBe(expected);
  });

  it("of another chain is not used, and a damaged one neither", async () => {
    await keeper(1).current();
    expect(signings).toBe(1);
    await keeper().current();
    expect(signings).toBe(1);
    await keeper(1).current();
    expect(signings).toBe(2);
    stored = stored?.slice(1) ?? null;
    await keeper().current();
    expect(signings).toBe(3);
  });

  it("that was refused is replaced once, also for those who were refused with it a little later", async () => {
    const permits = keeper();
    const refused = await permits.current();
    const [renewed, same] = await Promise.all([permits.replace(refused), permits.replace(refused)]);
    expect(await permits.replace(refused)).toBe(renewed);
    expect(same).toBe(renewed);
    expect(signings).toBe(2);
    expect(await permits.current()).toBe(renewed);
  });

  it("is tried again after a signing that failed", async () => {
    fail = new Error("no chain");
    const permits = keeper();
    await expect(permits.current()).rejects.toMatchObject({ code: "cofhe-unavailable", retry: "later" });
    fail = null;
    await permits.current();
    expect(signings).toBe(1);
    expect(stored).not.toBeNull();
  });
});
