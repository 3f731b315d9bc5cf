/**
 * The driver and the effects over processes that die at any call and any save, answers that are lost, and a clock that
 * jumps: test/fuzz/shell.ts says what is judged at each step.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Role } from "../../core/icl/schema.ts";
import { FULL, SEED } from "./property.ts";
import { Shell, TURNS, type Turn } from "./shell.ts";

const LIVES = { seed: SEED, numRuns: FULL ? 2_000 : 40 };
const TIMEOUT_MS = 900_000;
const HOUR_MS = 3_600_000;

const role = fc.constantFrom<Role>("leader", "verifier");
const turn: fc.Arbitrary<Turn> = fc.record({
  turn: fc.constantFrom(...TURNS, "acts" as const, "acts" as const, "acts" as const),
  afterMs: fc.constantFrom(0, 20, 900, 12_000),
  byMs: fc.integer({ min: -HOUR_MS, max: HOUR_MS }),
});
const script = fc.array(turn, { maxLength: 30, size: "max" });

describe("a job whose processes die", () => {
  it("keeps its promises and comes to its end", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(role, script, fc.boolean(), async (which, turns, fair) => {
        await new Shell(which, turns, fair).live();
      }),
      LIVES,
    );
  });

  it("is accepted whatever died on the way, where nothing but processes and answers is lost", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const mortal = fc.array(
      fc.record({
        turn: fc.constantFrom<Turn["turn"]>("acts", "lost", "dies-before", "dies-after", "dies-saving"),
        afterMs: fc.constantFrom(0, 20, 900),
        byMs: fc.constant(0),
      }),
      { maxLength: 20, size: "max" },
    );
    await fc.assert(
      fc.asyncProperty(role, mortal, async (which, turns) => {
        const shell = new Shell(which, turns, true);
        await shell.live();
        expect(shell.job).toMatchObject({ state: "settled", outcome: "accepted" });
        expect(shell.submitted.size).toBe(1);
      }),
      LIVES,
    );
  });
});
