/**
 * The part of the fault matrix that every run of the tests takes: each call meets one fault of each family, by turns a few
 * times and for good, others for the next call, so that over all calls every fault comes up both ways.
 */
import type { Endpoint } from "./endpoint.ts";
import { CUTS, type FaultName, LIES, STATUSES } from "./fault-modes.ts";
import { type Row, rowsOf } from "./fault-table.ts";

const NOS: readonly FaultName[] = ["400", "401", "404"];
const FAMILIES: readonly (readonly FaultName[])[] = [
  NOS,
  STATUSES.filter((status) => !NOS.includes(status)),
  CUTS,
  LIES,
];

/** @param turn the call's place in the table */
export function sampleOf(endpoint: Endpoint, turn: number): Row[] {
  return FAMILIES.flatMap((family, index) => {
    const fault = family[turn % family.length];
    // Families of an even size would else meet each of their faults in one way only.
    const round = Math.floor(turn / family.length);
    const times = (turn + index + (family.length % 2 === 0 ? round : 0)) % 2 === 0 ? "few" : "always";
    return rowsOf(endpoint, times).filter((row) => row.fault === fault);
  });
}
