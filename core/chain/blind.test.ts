import { describe, expect, it } from "vitest";
import { formatBlind, readBlind } from "./blind.ts";
import { inWords } from "./duration.ts";

describe("an amount of BLIND", () => {
  it.each([
    ["1000", 1000n * 10n ** 18n],
    ["1000.5", 10005n * 10n ** 17n],
    ["0.000000000000000001", 1n],
    ["999999999999", 999999999999n * 10n ** 18n],
  ])("%s is read exactly", (text, amount) => {
    expect(readBlind(text)).toEqual({ ok: true, value: amount });
  });

  it.each([
    "",
    " 1",
    "1 ",
    "0",
    "0.0",
    "-1",
    "+1",
    "1e3",
    "0x10",
    "1,000",
    "1.",
    ".5",
    "01",
    "1.0000000000000000001",
    "1000000000000",
    "Infinity",
    "١",
    "1\n",
  ])("%j is none", (text) => {
    expect(readBlind(text).ok).toBe(false);
  });

  it("is written without loss", () => {
    expect(formatBlind(10005n * 10n ** 17n)).toBe("1000.5 BLIND");
    expect(formatBlind(1n)).toBe("0.000000000000000001 BLIND");
  });
});

describe("a stretch of time", () => {
  it.each([
    [0, "0 seconds"],
    [1, "1 second"],
    [59, "59 seconds"],
    [61, "1 minute 1 second"],
    [3_600, "1 hour"],
    [345_600, "4 days"],
    [345_599, "3 days 23 hours"],
    [86_401, "1 day"],
  ])("of %d seconds is %s", (seconds, words) => {
    expect(inWords(seconds)).toBe(words);
  });
});
