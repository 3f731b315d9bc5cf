/**
 * The fault matrix: every call × every fault × a few times and for good, on the real node in simulated time. By default
 * each call meets every second fault that passes and every third one that stays, others for the next call, so that the
 * file ends soon; `SIM_FAULTS=full` runs all.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SimChain, startChain } from "./chain.ts";
import { ENDPOINTS, type Endpoint } from "./endpoints.ts";
import { type Row, rowsOf } from "./fault-table.ts";
import { runRows } from "./matrix.ts";

const FULL = process.env.SIM_FAULTS === "full";

let chain: SimChain;
beforeAll(async () => {
  chain = await startChain();
});
afterAll(() => chain.stop());

describe.each(ENDPOINTS.map((endpoint, index) => [endpoint.name, endpoint, index] as const))(
  "%s",
  (_name, endpoint, index) => {
    it("passes over faults that pass, and takes a no for a no", async () => {
      await expectRows(endpoint, chosen(rowsOf(endpoint, "few"), index, 2));
    });

    it("ends well, with the reason, when faults stay", async () => {
      await expectRows(endpoint, chosen(rowsOf(endpoint, "always"), index, 3));
    });
  },
);

async function expectRows(endpoint: Endpoint, rows: readonly Row[]): Promise<void> {
  const found = await runRows(chain, endpoint, rows);
  expect(found).toEqual(rows.map((row) => ({ ...row, wrong: [] })));
}

/** Every n-th row, beginning with another one for each call. */
function chosen(rows: readonly Row[], index: number, n: number): Row[] {
  return rows.filter((_row, fault) => FULL || fault % n === index % n);
}
