import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type AttestedClaims, boundHash, reportData, tpmQualifyingData } from "./binding.ts";

const KEY = new Uint8Array(32).fill(7);
const NONCE = new Uint8Array(32).fill(9);
const NONE = new Uint8Array();
const CLAIMS: AttestedClaims = {
  chainId: 421_614,
  node: "0x52908400098527886E0F7030069857D2E4169EE7",
  runtimeHash: "5a".repeat(32),
  models: ["a", "b"],
  sidecarKey: KEY,
  hpkeKey: NONE,
  gpuEvidenceHash: NONE,
};

/** The definition once more, with Node's parts. */
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const BY_HAND = Buffer.concat([
  hex("0000000c"),
  Buffer.from("blf-attest/1"),
  hex("00000008 0000000000066eee"),
  hex("00000014 52908400098527886e0f7030069857d2e4169ee7"),
  hex(`00000020 ${"5a".repeat(32)}`),
  hex("0000000e 00000002 00000001 61 00000001 62"),
  hex(`00000020 ${"07".repeat(32)}`),
  hex("00000000"),
  hex("00000000"),
]);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("what a quote is bound to", () => {
  it("is the hash of all claims, each behind its length", async () => {
    expect(text(await boundHash(CLAIMS))).toBe(sha256(BY_HAND));
  });

  it("is followed by the challenge's nonce, in 64 bytes", async () => {
    expect(text(await reportData(CLAIMS, NONCE))).toBe(sha256(BY_HAND) + text(NONCE));
  });

  it("is hashed once more for a TPM, which takes 32 bytes", async () => {
    const data = await reportData(CLAIMS, NONCE);
    expect(text(await tpmQualifyingData(data))).toBe(sha256(data));
  });

  it("does not depend on the address's checksum", async () => {
    expect(await boundHash({ ...CLAIMS, node: CLAIMS.node.toLowerCase() })).toEqual(await boundHash(CLAIMS));
  });

  const others: [string, Partial<AttestedClaims>][] = [
    ["another chain", { chainId: 1 }],
    ["another node", { node: `0x${"11".repeat(20)}` }],
    ["another runtime", { runtimeHash: "5b".repeat(32) }],
    ["no models", { models: [] }],
    ["an empty model more", { models: ["a", "b", ""] }],
    ["the models in another order", { models: ["b", "a"] }],
    ["the models joined", { models: ["ab"] }],
    ["the models joined by a comma", { models: ["a,b"] }],
    ["the models split where their lengths would be", { models: ["a\0\0\0\u0001b"] }],
    ["another key", { sidecarKey: new Uint8Array(32) }],
    ["the key in another's place", { sidecarKey: NONE, hpkeKey: KEY }],
    ["the key as the GPU's evidence", { sidecarKey: NONE, gpuEvidenceHash: KEY }],
    ["a further key", { hpkeKey: KEY }],
  ];
  it("is another for every other claim", async () => {
    const hashes = await Promise.all([CLAIMS, ...others.map(([, other]) => ({ ...CLAIMS, ...other }))].map(boundHash));
    expect(new Set(hashes.map(text)).size).toBe(others.length + 1);
  });

  it.each([0, 31, 33, 64])("refuses a nonce of %i bytes", async (length) => {
    await expect(reportData(CLAIMS, new Uint8Array(length))).rejects.toMatchObject({ code: "icl-malformed" });
  });

  it.each<[string, Partial<AttestedClaims>]>([
    ["a chain id that is no whole number", { chainId: 1.5 }],
    ["a negative chain id", { chainId: -1 }],
    ["a short address", { node: "0x52" }],
    ["an address with a letter too many", { node: `0x${"1".repeat(39)}g` }],
    ["a short runtime hash", { runtimeHash: "5a" }],
    ["a key of another length", { sidecarKey: new Uint8Array(33) }],
    ["half a character in a model's id", { models: ["\ud800"] }],
  ])("refuses %s", async (_name, other) => {
    await expect(boundHash({ ...CLAIMS, ...other })).rejects.toMatchObject({ code: "internal" });
  });
});
