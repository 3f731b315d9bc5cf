import { describe, expect, it } from "vitest";
import { Secret } from "../secret.ts";
import { readAddress, readIndices, readKey32, readKeys32, readMnemonic, readPrivateKeys } from "./key.ts";
import type { Reading } from "./setting.ts";

const ONE = `${"0".repeat(63)}1`;
/** n − 1 and n of secp256k1 (SEC 2, 2.4.1). */
const LAST = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
const ORDER = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

function outcome(reading: Reading<unknown>): unknown {
  if (!reading.ok) return reading.refusal.map(({ code }) => code).join();
  const plain = (value: unknown) => (value instanceof Secret ? value.reveal() : value);
  return Array.isArray(reading.value) ? reading.value.map(plain) : plain(reading.value);
}

describe("private keys", () => {
  it.each([
    ["one with 0x", `0x${ONE}`, [`0x${ONE}`]],
    ["one without 0x", ONE, [`0x${ONE}`]],
    ["several in any case", ` ${ONE}, "0X${LAST.toUpperCase()}",`, [`0x${ONE}`, `0x${LAST}`]],
    ["nothing but commas", ",", "malformed"],
    ["a digit too few", ONE.slice(1), "malformed"],
    ["a digit too many", `${ONE}0`, "malformed"],
    ["letters beyond f", `g${ONE.slice(1)}`, "malformed"],
    ["zero", "0".repeat(64), "malformed"],
    ["the curve's order", ORDER, "malformed"],
    ["an example", "0x...", "placeholder"],
    ["the same key twice, written differently", `${LAST},0x${LAST.toUpperCase()}`, "duplicate"],
    ["three different mistakes", `abc,${ORDER},<key>`, "malformed,malformed,placeholder"],
  ])("%s", (_, text, expected) => {
    expect(outcome(readPrivateKeys(text))).toEqual(expected);
  });

  it("are named by place and length only in a refusal", () => {
    const reading = readPrivateKeys(`${ONE},${LAST.slice(3)}`);
    expect(reading.ok ? [] : reading.refusal).toEqual([
      { code: "malformed", message: "(key 2 of 2) must be 64 hex digits, with or without 0x, and holds 61 hex digits" },
    ]);
  });
});

describe("a 32-byte key", () => {
  const hex = "fb".repeat(32);
  it.each([
    ["hex", hex, hex],
    ["upper-case hex with 0x", `0x${hex.toUpperCase()}`, hex],
    ["base64", Buffer.from(hex, "hex").toString("base64"), hex],
    ["base64url", Buffer.from(hex, "hex").toString("base64url"), hex],
    ["a passphrase", "correct horse battery staple and then some", "malformed"],
    ["16 bytes", hex.slice(32), "malformed"],
    ["an example", "<32 bytes>", "placeholder"],
  ])("is read from %s", (_, text, expected) => {
    expect(outcome(readKey32(text))).toBe(expected);
  });

  it("may come in a list, in which each mistake counts", () => {
    expect(outcome(readKeys32(`${hex}, ${"0a".repeat(32)}`))).toEqual([hex, "0a".repeat(32)]);
    expect(outcome(readKeys32(`${hex},x,y`))).toBe("malformed,malformed");
    expect(outcome(readKeys32(","))).toBe("malformed");
  });
});

describe("a seed phrase", () => {
  // BIP-39's first English test vector.
  const phrase = `${"abandon ".repeat(11)}about`;
  it.each([
    ["12 words", phrase, phrase],
    ["upper case and odd spaces", ` ${phrase.toUpperCase().replaceAll(" ", "  \n")}`.trim(), phrase],
    ["13 words", `${phrase} about`, "malformed"],
    ["numbers among the words", phrase.replace("about", "about1"), "malformed"],
    ["a word", "abandon", "malformed"],
  ])("of %s", (_, text, expected) => {
    expect(outcome(readMnemonic(text))).toBe(expected);
  });
});

describe("account indices", () => {
  it.each([
    ["0", [0]],
    ["3-5,120", [3, 4, 5, 120]],
    ["7, 5 - 6 , 5", [5, 6, 7]],
    ["2147483647", [2147483647]],
    ["2147483648", "out-of-range"],
    ["0-10000", "out-of-range"],
    ["0-9999,20000", "out-of-range"],
    ["0-2000000000", "out-of-range"],
    ["5-3", "malformed"],
    ["-1", "malformed"],
    ["1-", "malformed"],
    ["a", "malformed"],
    [",", "malformed"],
  ])("%s", (text, expected) => {
    expect(outcome(readIndices(text))).toEqual(expected);
  });
});

describe("an address", () => {
  // Examples of EIP-55.
  const good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
  it.each([
    ["with its checksum", good, good],
    [
      "of EIP-55's second example",
      "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
      "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    ],
    ["all in lower case", good.toLowerCase(), good],
    ["with one letter's case changed", good.replace("aA", "AA"), "malformed"],
    ["all in upper case", `0x${good.slice(2).toUpperCase()}`, "malformed"],
    ["without 0x", good.slice(2), "malformed"],
    ["a digit too short", good.slice(0, -1), "malformed"],
    ["of nobody", `0x${"0".repeat(40)}`, "malformed"],
    ["left as an example", "0x...", "placeholder"],
  ])("%s", (_, text, expected) => {
    expect(outcome(readAddress(text))).toBe(expected);
  });
});
