import { describe, expect, it } from "vitest";
import { callCap, priceOf, tooDear } from "./fees.ts";

const market = { baseFee: 100n, tip: 10n };
const fees = (maxFeePerGas: bigint, maxPriorityFeePerGas: bigint) => ({ maxFeePerGas, maxPriorityFeePerGas });

describe("what is offered for gas", () => {
  it.each([
    ["has room for the base fee to double", undefined, undefined, fees(210n, 10n)],
    ["stays below the cap", 150n, undefined, fees(150n, 10n)],
    ["is the market's price at least", 110n, undefined, fees(110n, 10n)],
    ["is nothing where the market is above the cap", 109n, undefined, "market"],
    ["is an eighth more than what it replaces", undefined, fees(400n, 40n), fees(450n, 45n)],
    ["is an eighth more, rounded up", undefined, fees(401n, 1n), fees(452n, 10n)],
    ["is the market's price where that is more", undefined, fees(100n, 1n), fees(210n, 10n)],
    ["is nothing where an eighth more is above the cap", 449n, fees(400n, 40n), "bump"],
    ["is the cap where an eighth more is just that", 450n, fees(400n, 40n), fees(450n, 45n)],
  ] as const)("%s", (_what, cap, above, expected) => {
    const price = priceOf(market, cap, above);
    expect(price.ok ? price.value : price.refusal).toEqual(expected);
  });

  it("for a call leaves room below the cap for cancelling it", () => {
    for (const cap of [9n, 10n, 10_000_000_001n]) {
      const price = priceOf({ baseFee: 1n, tip: 0n }, cap, fees(callCap(cap), 0n));
      expect(price.ok && price.value.maxFeePerGas <= cap).toBe(true);
    }
  });

  it("and why not, in gwei", () => {
    const error = tooDear("preparing x", "market", { baseFee: 3_000_000_000n, tip: 0n }, 2_500_000_000n);
    expect(error).toMatchObject({
      code: "gas-price",
      retry: "later",
      hint: expect.stringContaining("BLF_MAX_FEE_GWEI"),
    });
    expect(error.message).toBe("preparing x: gas costs 3 gwei, more than the 2.5 gwei that it may");
  });
});
