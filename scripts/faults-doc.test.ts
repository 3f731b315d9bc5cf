import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ENDPOINTS } from "../test/sim/endpoints.ts";
import { FAULTS } from "../test/sim/fault-modes.ts";
import { ROWS } from "../test/sim/fault-table.ts";
import { renderFaults } from "./faults-doc.ts";

it("has a row for every call, fault and duration", () => {
  const names = new Set(ROWS.map(({ endpoint, fault, times }) => `${endpoint}/${fault}/${times}`));
  expect(names.size).toBe(ENDPOINTS.length * FAULTS.length * 2);
  expect(ROWS).toHaveLength(names.size);
});

it("expects a job to end in one of four ways", () => {
  const ways = /^(accepted|not claimed|failed [a-z-]+|deadline( [a-z-]+)?)$/;
  expect(ROWS.filter(({ job }) => !ways.test(job))).toEqual([]);
});

it("makes no exception where the rule says the same", () => {
  const idle = ENDPOINTS.flatMap(({ name, codes, duty, except = {} }) =>
    Object.entries(except).flatMap(([times, faults]) =>
      FAULTS.filter((fault) => {
        const exception = faults[fault];
        const passing = times === "few" ? "accepted" : (duty?.always ?? `deadline ${codes[fault]}`);
        return exception !== undefined && exception === passing;
      }).map((fault) => `${name}/${fault}`),
    ),
  );
  expect(idle).toEqual([]);
});

it("is what docs/design/faults.md says", () => {
  expect(readFileSync(new URL("../docs/design/faults.md", import.meta.url), "utf8")).toBe(renderFaults());
});
