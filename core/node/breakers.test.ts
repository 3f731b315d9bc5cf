import { describe, expect, it } from "vitest";
import {
  type Breaker,
  blockedBy,
  dependencyOf,
  failed,
  needsOf,
  OPEN_AT,
  probeDue,
  probed,
  succeeded,
} from "./breakers.ts";

const T0 = 1_800_000_000_000;
const ERROR = { code: "ipfs-unavailable", message: "no answer", hint: "look" };
/** A node in edge mode that stores its output keys. */
const EDGE = { storesKey: true, usesSidecar: false };
const idle = () => false;
const busy = () => true;

function opened(nowMs = T0): Breaker {
  let breaker: Breaker | undefined;
  for (let time = 0; time < OPEN_AT; time++) breaker = failed(breaker, ERROR, nowMs);
  if (breaker === undefined) throw new Error("never failed");
  return breaker;
}

describe("a breaker", () => {
  it("opens at the third failure in a row and not before", () => {
    const one = failed(undefined, ERROR, T0);
    const two = failed(one, ERROR, T0);
    expect([one.state, two.state, opened().state]).toEqual(["closed", "closed", "open"]);
    expect(failed(succeeded(two, T0), ERROR, T0)).toMatchObject({ state: "closed", failures: 1 });
  });

  it("asks for a probe after 30 s, then after twice as long, at most five minutes", () => {
    let breaker = opened();
    const pauses: number[] = [];
    for (let time = 0; time < 6; time++) {
      pauses.push(breaker.probeAtMs - T0);
      expect(probeDue(breaker, breaker.probeAtMs - 1)).toBe(false);
      expect(probeDue(breaker, breaker.probeAtMs)).toBe(true);
      breaker = probed(breaker, ERROR, T0);
    }
    expect(pauses).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  it("waits as long as the service asked for", () => {
    const two = failed(failed(undefined, ERROR, T0), ERROR, T0);
    expect(failed(two, { ...ERROR, retryAfterMs: 90_000 }, T0).probeAtMs).toBe(T0 + 90_000);
  });

  it("lets one job at a time through once the probe was answered, until one succeeds", () => {
    const open = opened();
    expect(blockedBy({ ipfs: open }, ["ipfs"], idle)).toBe("ipfs");
    const half = probed(open, null, T0);
    expect(half.state).toBe("half-open");
    expect(blockedBy({ ipfs: half }, ["ipfs"], busy)).toBe("ipfs");
    expect(blockedBy({ ipfs: half }, ["ipfs"], idle)).toBeNull();
    expect(blockedBy({ ipfs: succeeded(half, T0) }, ["ipfs"], busy)).toBeNull();
  });

  it("opens again at once when that job fails, and for longer", () => {
    const again = failed(probed(opened(), null, T0), ERROR, T0);
    expect(again).toMatchObject({ state: "open", probeAtMs: T0 + 60_000 });
  });

  it("keeps no job from what does not need it", () => {
    expect(blockedBy({ pin: opened() }, needsOf("verifier", "mock:demo", EDGE), busy)).toBeNull();
    expect(blockedBy({ pin: opened() }, needsOf("leader", "mock:demo", EDGE), busy)).toBe("pin");
    expect(blockedBy({ "model:groq": opened() }, needsOf("leader", "gemini:x", EDGE), busy)).toBeNull();
    expect(blockedBy({ rpc: opened() }, needsOf("leader", "gemini:x", { ...EDGE, storesKey: false }), busy)).toBeNull();
  });
});

describe("what an error speaks of", () => {
  it.each([
    ["model-unavailable", "groq:llama", "model:groq"],
    ["model-rate-limited", "some/local", "model:openai"],
    ["pin-unavailable", "mock:demo", "pin"],
    ["rpc-unavailable", "mock:demo", "rpc"],
    ["icl-unreachable", "mock:demo", "icl"],
    ["prompt-unreadable", "mock:demo", null],
    ["cofhe-refused", "mock:demo", null],
    ["deadline", "mock:demo", null],
  ] as const)("%s of a job for %s: %s", (code, modelId, dependency) => {
    expect(dependencyOf(code, modelId)).toBe(dependency);
  });
});
