/**
 * What the reading of the settings can find. Codes are stable: `/healthz`, the dashboard and the operator's runbook name
 * them. A message is made of our own words, setting names, host names and model ids, never of a value that may be secret.
 */

/** Every fault code with its meaning, as the operator's page prints them. */
export const FAULT_CODES = {
  missing: "A setting that this configuration needs is absent or empty.",
  malformed: "The value cannot be read: wrong form, wrong length, or a failed checksum.",
  "out-of-range": "A number lies outside its limits.",
  placeholder: "The value is an example from a guide, not a real key or URL.",
  mainnet: "The setting points at a mainnet. Blindference Edge runs on testnets only.",
  "not-https": "A URL other than loopback uses plain http.",
  unsupported: "The value is well formed, but this version or this mode cannot work with it.",
  conflict: "Two settings contradict each other, or one needs another.",
  duplicate: "The same value is listed twice.",
  weak: "A secret is too short or too regular to protect anything.",
  "no-model": "No setting gives the node a model to run.",
  unknown: "A BLF_ name that is no setting, most often a typing error.",
} as const;

export type FaultCode = keyof typeof FAULT_CODES;

export interface Fault {
  code: FaultCode;
  /** Name of the setting to change. */
  setting: string;
  message: string;
  /** One sentence that tells the operator what to do. */
  fix: string;
  /** With a `fault` the node claims nothing; a `warning` leaves it running. */
  severity: "fault" | "warning";
}

/** Worth knowing, nothing to mend. */
export interface Note {
  setting: string;
  message: string;
}
