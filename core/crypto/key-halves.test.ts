import { bytesToHex, hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { NodeError } from "../errors.ts";
import { joinKey, splitKey } from "./key-halves.ts";

describe("a key's halves", () => {
  it.each(vectors.key_split)("are the network's for $key", ({ key, high, low, reconstructed }) => {
    expect(splitKey(hexToBytes(`0x${key}`))).toEqual({ high: BigInt(high), low: BigInt(low) });
    expect(bytesToHex(joinKey(BigInt(high), BigInt(low)))).toBe(`0x${reconstructed}`);
  });

  it.each(vectors.key_reconstruct_errors)("are refused out of range: $high, $low", ({ high, low }) => {
    for (const join of [() => joinKey(BigInt(high), BigInt(low)), () => joinKey(BigInt(low), BigInt(high))]) {
      expect(join).toThrow(expect.objectContaining({ code: "key-unavailable", retry: "never" }));
      expect(join).toThrow(NodeError);
    }
  });

  it("do not repeat a value that was refused: it may be part of a key", () => {
    expect(() => joinKey(1n << 130n, 0n)).toThrow(/^a decrypted key half is not a uint128$/);
  });

  it.each([0, 31, 33])("are not cut from %i bytes", (length) => {
    expect(() => splitKey(new Uint8Array(length))).toThrow(RangeError);
  });
});
