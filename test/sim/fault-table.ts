/**
 * What must come of every fault of every call: the table that test/sim/faults.test.ts runs and docs/design/faults.md is
 * made of. The rules: a fault that passes costs nothing but time, unless it is a certain no; one that stays costs the
 * job, whose last error names the cause. Where a call differs, endpoints.ts says so. Plain data, for a script to print.
 */
import type { Endpoint, Outcome, Times } from "./endpoint.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { FAULTS, type FaultName } from "./fault-modes.ts";

export interface Row {
  endpoint: string;
  fault: FaultName;
  times: Times;
  /** What becomes of the job. */
  job: Outcome;
  /** The code that a duty's failure is logged with; null where the call is a job's own, or nothing fails. */
  noted: string | null;
}

export const ROWS: readonly Row[] = ENDPOINTS.flatMap((endpoint) =>
  (["few", "always"] as const).flatMap((times) => FAULTS.map((fault) => rowOf(endpoint, fault, times))),
);

export function rowsOf(endpoint: Endpoint, times: Times): Row[] {
  return ROWS.filter((row) => row.endpoint === endpoint.name && row.times === times);
}

function rowOf(endpoint: Endpoint, fault: FaultName, times: Times): Row {
  const { name, codes, duty, except } = endpoint;
  const exception = except?.[times]?.[fault] ?? except?.both?.[fault];
  const code = codes[fault];
  if (duty === undefined) {
    const passing = times === "few" ? "accepted" : `deadline ${code}`;
    return { endpoint: name, fault, times, job: exception ?? passing, noted: null };
  }
  const harmless = duty.harmless?.includes(fault) ?? false;
  return {
    endpoint: name,
    fault,
    times,
    job: exception ?? (times === "few" || harmless ? "accepted" : duty.always),
    noted: harmless ? null : code,
  };
}
