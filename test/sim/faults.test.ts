/**
 * The fault matrix: every call × every fault × a few times and for good, on the real node in simulated time. By default a
 * sample of it (sample.ts), so that the file ends soon; `SIM_FAULTS=full` runs all.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SimChain, startChain } from "./chain.ts";
import type { Endpoint } from "./endpoint.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { FAULTS } from "./fault-modes.ts";
import { type Row, rowsOf } from "./fault-table.ts";
import { runRows } from "./matrix.ts";
import { sampleOf } from "./sample.ts";

const FULL = process.env.SIM_FAULTS === "full";
const CALLS = ENDPOINTS.map((endpoint, turn) => [endpoint.name, endpoint, turn] as const);

let chain: SimChain;
beforeAll(async () => {
  chain = await startChain();
});
afterAll(() => chain.stop());

async function expectRows(endpoint: Endpoint, rows: readonly Row[]): Promise<void> {
  const found = await runRows(chain, endpoint, rows);
  expect(found).toEqual(rows.map((row) => ({ ...row, wrong: [] })));
}

/** Every row: with SIM_FAULTS=full. */
function wholeMatrix(_name: string, endpoint: Endpoint): void {
  it("passes over faults that pass, and takes a no for a no", async () => {
    await expectRows(endpoint, rowsOf(endpoint, "few"));
  });

  it("ends well, with the reason, when faults stay", async () => {
    await expectRows(endpoint, rowsOf(endpoint, "always"));
  });
}

function sample(): void {
  it.each(CALLS)("of the faults of %s comes out as the table says", async (_name, endpoint, turn) => {
    await expectRows(endpoint, sampleOf(endpoint, turn));
  });

  it("meets every call four times, and every fault both a few times and for good", () => {
    const rows = CALLS.map(([_name, endpoint, turn]) => sampleOf(endpoint, turn));
    expect(rows.map(({ length }) => length)).toEqual(CALLS.map(() => 4));
    const ways = new Set(rows.flat().map(({ fault, times }) => `${fault} ${times}`));
    expect([...ways].toSorted()).toEqual(FAULTS.flatMap((fault) => [`${fault} few`, `${fault} always`]).toSorted());
  });
}

if (FULL) describe.each(CALLS)("%s", wholeMatrix);
else describe("a sample", sample);
