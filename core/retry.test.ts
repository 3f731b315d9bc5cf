import { describe, expect, it } from "vitest";
import { backoffMs, retry } from "./retry.ts";

function recorder() {
  const slept: number[] = [];
  const sleep = async (ms: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    slept.push(ms);
  };
  return { slept, sleep };
}

/** Fails with each of the errors in turn, then succeeds with the number of the attempt. */
function failing(...errors: Error[]) {
  return async (attempt: number) => {
    const error = errors[attempt - 1];
    if (error !== undefined) throw error;
    return attempt;
  };
}

describe("backoffMs", () => {
  it.each([
    [1, 500],
    [2, 1000],
    [5, 8000],
    [6, 15_000],
    [5000, 15_000],
    [0, 500],
  ])("after failure %i is %i ms", (attempt, expected) => {
    expect(backoffMs(attempt, { baseMs: 500, maxMs: 15_000 })).toBe(expected);
  });

  it("spreads over its upper half when it is given jitter", () => {
    const at = (jitter: number) => backoffMs(2, { baseMs: 500, maxMs: 15_000, jitter: () => jitter });
    expect([at(0), at(0.5), at(0.999)]).toEqual([500, 750, 1000]);
  });
});

describe("retry", () => {
  const delayMs = (attempt: number) => attempt * 10;

  it("sleeps between failures and gives the first success", async () => {
    const { slept, sleep } = recorder();
    const work = failing(new Error("a"), new Error("b"));
    await expect(retry(work, { attempts: 5, delayMs, sleep })).resolves.toBe(3);
    expect(slept).toEqual([10, 20]);
  });

  it("throws the last failure when the attempts are used up, without sleeping after it", async () => {
    const { slept, sleep } = recorder();
    const work = failing(new Error("a"), new Error("b"), new Error("c"));
    await expect(retry(work, { attempts: 2, delayMs, sleep })).rejects.toThrow("b");
    expect(slept).toEqual([10]);
  });

  it("does not try again what the caller says is hopeless", async () => {
    const { slept, sleep } = recorder();
    const shouldRetry = (error: unknown) => error instanceof Error && error.message !== "final";
    const work = failing(new Error("a"), new Error("final"));
    await expect(retry(work, { attempts: 9, delayMs, shouldRetry, sleep })).rejects.toThrow("final");
    expect(slept).toEqual([10]);
  });

  it("lets the failure itself choose the delay", async () => {
    const { slept, sleep } = recorder();
    const asked = (_attempt: number, error: unknown) => (error instanceof RangeError ? 7000 : 1);
    await retry(failing(new RangeError("wait")), { attempts: 2, delayMs: asked, sleep });
    expect(slept).toEqual([7000]);
  });

  it("stops with the signal's reason, before the work and between attempts", async () => {
    const { slept, sleep } = recorder();
    const abort = new AbortController();
    const work = async () => {
      abort.abort(new Error("deadline"));
      throw new Error("a");
    };
    await expect(retry(work, { attempts: 9, delayMs, sleep, signal: abort.signal })).rejects.toThrow("deadline");
    await expect(retry(failing(), { attempts: 9, delayMs, sleep, signal: abort.signal })).rejects.toThrow("deadline");
    expect(slept).toEqual([]);
  });
});
