import { base16 } from "multiformats/bases/base16";
import { base36 } from "multiformats/bases/base36";
import { base58btc } from "multiformats/bases/base58";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import { identity } from "multiformats/hashes/identity";
import { sha256, sha512 } from "multiformats/hashes/sha2";
import { describe, expect, it } from "vitest";
import { blockKey, CID_TEXT_MAX, type CidRefusal, hashesTo, parseCid, RAW } from "./cid.ts";
import { ONE_BLOCK } from "./published-files.ts";

const RAW_HELLO = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4";
const V0_HELLO = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
const hello = new TextEncoder().encode("hello world\n");

function parsed(text: string) {
  const cid = parseCid(text);
  if (!cid.ok) throw new Error(`refused: ${cid.refusal.message}`);
  return cid.value;
}

describe("parseCid", () => {
  it.each(ONE_BLOCK.map((file) => file.cid))("takes the published CID %s and prints it unchanged", (text) => {
    expect(parsed(text).toString()).toBe(text);
  });

  it("takes base36 and base58btc spellings of version 1", () => {
    const cid = CID.parse(RAW_HELLO);
    for (const text of [cid.toString(base36), cid.toString(base58btc)]) {
      expect(parsed(text).equals(cid)).toBe(true);
    }
  });

  it("takes a full SHA-512", async () => {
    const cid = CID.createV1(RAW, await sha512.digest(hello));
    expect(cid.toString().length).toBeLessThanOrEqual(CID_TEXT_MAX);
    expect(await hashesTo(parsed(cid.toString()), hello)).toBe(true);
    expect(await hashesTo(parsed(cid.toString()), hello.subarray(1))).toBe(false);
  });

  const dagCbor = () => CID.createV1(0x71, CID.parse(RAW_HELLO).multihash).toString();
  const truncated = () =>
    CID.createV1(RAW, createDigest(sha256.code, CID.parse(RAW_HELLO).multihash.digest.slice(0, 20)));
  const inlined = () => CID.createV1(RAW, identity.digest(hello)).toString();
  const sha1 = () => CID.createV1(RAW, createDigest(0x11, new Uint8Array(20))).toString();
  const refused: [string, string, CidRefusal["reason"]][] = [
    ["an empty text", "", "malformed"],
    ["a word", "None", "malformed"],
    ["a URL", "https://ipfs.io/ipfs/x", "malformed"],
    ["a path behind a CID", `${RAW_HELLO}/../admin`, "malformed"],
    ["a query behind a CID", `${V0_HELLO}?x=1`, "malformed"],
    ["white space around a CID", ` ${V0_HELLO}`, "malformed"],
    ["padding, which the decoder would skip", `${RAW_HELLO}=`, "malformed"],
    ["a letter too few", V0_HELLO.slice(0, -1), "malformed"],
    ["a letter outside the alphabet", V0_HELLO.replace("T", "0"), "malformed"],
    ["a letter too many", `${V0_HELLO}a`, "malformed"],
    ["hexadecimal, which no gateway is asked in", CID.parse(RAW_HELLO).toString(base16), "malformed"],
    ["a megabyte", `b${"a".repeat(1_000_000)}`, "too-long"],
    ["another codec", dagCbor(), "codec"],
    ["a truncated digest", truncated().toString(), "hash"],
    ["content in the CID itself", inlined(), "hash"],
    ["SHA-1", sha1(), "hash"],
  ];
  it.each(refused)("refuses %s", (_, text, reason) => {
    expect(parseCid(text)).toMatchObject({ ok: false, refusal: { reason } });
  });

  it("never repeats the text in its refusal", () => {
    for (const [, text] of refused.filter(([, text]) => text.length > 3)) {
      const cid = parseCid(text);
      expect(cid.ok ? "" : cid.refusal.message).not.toContain(text);
    }
  });
});

describe("hashesTo", () => {
  it.each(ONE_BLOCK.filter((file) => file.cid.startsWith("bafk")))("proves $name by its hash", async (file) => {
    expect(await hashesTo(parsed(file.cid), file.content)).toBe(true);
    expect(await hashesTo(parsed(file.cid), new Uint8Array([...file.content, 0]))).toBe(false);
  });

  it("proves a published dag-pb block", async () => {
    // The bytes of QmRgut…, as rust-ipfs' tests give them: a file "foobar\n" inside its node.
    const block = Uint8Array.from("0a0d08021207666f6f6261720a1807".match(/../g) ?? [], (pair) =>
      Number.parseInt(pair, 16),
    );
    expect(await hashesTo(parsed("QmRgutAxd8t7oGkSm4wmeuByG6M51wcTso6cubDdQtuEfL"), block)).toBe(true);
  });
});

describe("blockKey", () => {
  it("is the same for both versions of a CID and differs between contents", () => {
    const v0 = parsed(V0_HELLO);
    expect(blockKey(v0.toV1())).toBe(blockKey(v0));
    expect(blockKey(parsed(RAW_HELLO))).not.toBe(blockKey(v0));
  });
});
