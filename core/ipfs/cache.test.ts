import { describe, expect, it } from "vitest";
import { createByteCache } from "./cache.ts";
import { createManualClock } from "./fake-gateway.ts";

const bytes = (length: number, value = 1) => new Uint8Array(length).fill(value);

describe("the byte cache", () => {
  it("holds an entry until its time is over, counted from when it was set", () => {
    const clock = createManualClock();
    const cache = createByteCache(clock, { ttlMs: 60_000, maxBytes: 100 });
    cache.set("a", bytes(3));
    clock.advance(59_999);
    expect(cache.get("a")).toEqual(bytes(3));
    clock.advance(1);
    expect(cache.get("a")).toBeUndefined();
  });

  it("lets the oldest entries make room and never holds more than its limit", () => {
    const cache = createByteCache(createManualClock(), { ttlMs: 60_000, maxBytes: 100 });
    for (const key of ["a", "b", "c"]) cache.set(key, bytes(40));
    expect(["a", "b", "c"].map((key) => cache.get(key)?.length)).toEqual([undefined, 40, 40]);
    cache.set("d", bytes(100));
    expect(["b", "c", "d"].map((key) => cache.get(key)?.length)).toEqual([undefined, undefined, 100]);
  });

  it("counts an entry that is set again once", () => {
    const cache = createByteCache(createManualClock(), { ttlMs: 60_000, maxBytes: 100 });
    cache.set("a", bytes(50));
    for (let turn = 0; turn < 5; turn += 1) cache.set("b", bytes(50, turn));
    expect(cache.get("a")).toEqual(bytes(50));
    expect(cache.get("b")).toEqual(bytes(50, 4));
  });

  it("does not keep what exceeds it, nor an older entry in its place", () => {
    const cache = createByteCache(createManualClock(), { ttlMs: 60_000, maxBytes: 100 });
    cache.set("a", bytes(10));
    cache.set("b", bytes(10));
    cache.set("a", bytes(101));
    expect(cache.get("a")).toBeUndefined();
    expect(cache.get("b")).toEqual(bytes(10));
  });

  it("is not changed by what callers do to their bytes", () => {
    const cache = createByteCache(createManualClock(), { ttlMs: 60_000, maxBytes: 100 });
    const mine = bytes(3);
    cache.set("a", mine);
    mine.fill(9);
    cache.get("a")?.fill(9);
    expect(cache.get("a")).toEqual(bytes(3));
  });
});
