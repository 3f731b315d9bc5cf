import { expect, it } from "vitest";
import { ago, duration, explorerLink, formatEth, moment, short } from "./format.ts";

it.each([
  [-5_000, "0 seconds"],
  [499, "0 seconds"],
  [500, "1 second"],
  [125_000, "2 minutes 5 seconds"],
  [3_600_000, "1 hour"],
  [273_600_000, "3 days 4 hours"],
])("%i ms are %s", (ms, words) => {
  expect(duration(ms)).toBe(words);
});

it("tells how long ago something was, and never where it never was", () => {
  expect(ago(1_000, 13_000)).toBe("12 seconds ago");
  expect(ago(null)).toBe("never");
});

it("gives a moment in UTC to the second, and a dash for none", () => {
  expect(moment(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe("2026-01-02 03:04:05");
  expect([moment(null), moment(undefined)]).toEqual(["–", "–"]);
});

it.each([
  [0n, "0 ETH"],
  [1n, "less than 0.000001 ETH"],
  [999_999_999_999n, "less than 0.000001 ETH"],
  [10n ** 12n, "0.000001 ETH"],
  [1_999_999_999_999_999_999n, "1.999999 ETH"],
  [1_500n * 10n ** 15n, "1.5 ETH"],
  [10n ** 21n, "1000 ETH"],
])("%i wei are %s, never more than there is", (wei, text) => {
  expect(formatEth(wei)).toBe(text);
});

it("shortens what is long, and links to the explorer on the public testnet only", () => {
  expect(short("0x7Ef5A6135f1FD6a02593eEdC869c6D41D934aef8")).toBe("0x7Ef5…aef8");
  expect(short("0x1234")).toBe("0x1234");
  expect(explorerLink(421_614, "tx", "0xabc")).toBe("https://sepolia.arbiscan.io/tx/0xabc");
  expect(explorerLink(31_337, "tx", "0xabc")).toBeNull();
});
