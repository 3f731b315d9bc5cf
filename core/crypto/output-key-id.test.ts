import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { outputKeyHandle, outputKeyStoreJobId } from "./output-key-id.ts";

describe("an output key's names", () => {
  it.each(vectors.output_key_store_job_id)("are the network's in the key store: $job_id", ({ job_id, id }) => {
    expect(outputKeyStoreJobId(job_id)).toBe(id);
  });

  it("tell apart job ids that differ in case or prefix, because ids are opaque", () => {
    const ids = ["0xabc", "0xABC", "abc"].map(outputKeyStoreJobId);
    expect(new Set(ids).size).toBe(3);
  });

  it.each(vectors.output_key_handle)("are the network's as one handle: $high, $low", ({ high, low, handle }) => {
    expect(outputKeyHandle(BigInt(high), BigInt(low))).toBe(handle);
  });

  it.each([
    [-1n, 0n],
    [0n, 1n << 256n],
  ])("do not exist for handles out of range: %i, %i", (high, low) => {
    expect(() => outputKeyHandle(high, low)).toThrow(RangeError);
  });
});
