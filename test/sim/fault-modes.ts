/** The ways in which a service misbehaves in the fault matrix, as the devnet's faults (devnet/faults.ts) bring them about. */
import type { Fault } from "../../devnet/faults.ts";

export const STATUSES = ["400", "401", "404", "408", "429", "500", "502", "503"] as const;
/** The connection, not the answer, is at fault. */
export const CUTS = ["hang", "close", "half"] as const;
/** 200 with something else than an answer. */
export const LIES = ["html", "wrong types", "absent fields", "out of range", "10 MB"] as const;
export const FAULTS = [...STATUSES, ...CUTS, ...LIES] as const;
export type FaultName = (typeof FAULTS)[number];

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** Answers that are JSON and not the answer. */
export interface Lies {
  wrongTypes: Json;
  absentFields: Json;
  outOfRange: Json;
}

/** What a 429 asks for. */
export const RETRY_AFTER_SEC = 2;

/** What is armed for a fault. */
export function faultOf(name: FaultName, lies: Lies): Pick<Fault, "mode" | "status" | "retryAfterSec" | "body"> {
  switch (name) {
    case "hang":
    case "close":
    case "half":
      return { mode: name };
    case "html":
      return { mode: "garbage" };
    case "10 MB":
      return { mode: "big" };
    case "wrong types":
      return { mode: "json", body: lies.wrongTypes };
    case "absent fields":
      return { mode: "json", body: lies.absentFields };
    case "out of range":
      return { mode: "json", body: lies.outOfRange };
    case "429":
      return { mode: "status", status: 429, retryAfterSec: RETRY_AFTER_SEC };
    default:
      return { mode: "status", status: Number(name) };
  }
}
