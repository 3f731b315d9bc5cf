/**
 * A property of a parser as data, so that one place runs them all and counts what was really run. Cases come from a fixed
 * seed (FUZZ_SEED for another one); FUZZ_RUNS=full runs every property to its full number, otherwise a small share of it.
 */
import fc from "fast-check";
import { NodeError } from "../../core/errors.ts";

export const SEED = Number(process.env.FUZZ_SEED ?? 20_270_115);
export const FULL = process.env.FUZZ_RUNS === "full";
/** A full run has this many times the cases of a quick one. */
const SHARE = 60;

export interface FuzzProperty {
  /** A sentence. */
  name: string;
  /** Runs the cases and gives their number; throws fast-check's account of the smallest case that fails. */
  run(): Promise<number>;
}

/** @param full how many cases a full run has */
export function property<T>(
  name: string,
  full: number,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => void | Promise<void>,
): FuzzProperty {
  return {
    name,
    async run() {
      let cases = 0;
      const counted = fc.asyncProperty(arbitrary, async (value) => {
        cases += 1;
        await check(value);
      });
      await fc.assert(counted, { seed: SEED, numRuns: FULL ? full : Math.ceil(full / SHARE) });
      return cases;
    },
  };
}

export function must(holds: boolean, promise: string): void {
  if (!holds) throw new Error(`broken: ${promise}`);
}

/** Text that no module of ours writes by itself; its spaces keep it from passing for an identifier. */
export const CANARY = "canary SWALLOWED canary";

export type Came<T> = { value: T; error?: undefined } | { error: NodeError; value?: undefined };

/** What a call came to. Only a NodeError with one of the codes may be thrown, and it repeats nothing of the input. */
export async function came<T>(codes: readonly string[], work: () => T | Promise<T>): Promise<Came<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    must(codes.includes(error.code), `its errors are ${codes.join(", ")}, not ${error.code}`);
    must(!`${error.message} ${error.hint}`.includes("SWALLOWED"), `an error repeats its input: ${error.message}`);
    return { error };
  }
}
