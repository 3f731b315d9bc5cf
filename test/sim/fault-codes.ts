/** What the node calls each fault of each kind of service. The same fault always has the same name. */
import type { ErrorCode } from "../../core/errors.ts";
import { CUTS, FAULTS, type FaultName, LIES } from "./fault-modes.ts";

export type Codes = Readonly<Record<FaultName, ErrorCode>>;

type Some = Partial<Record<FaultName, ErrorCode>>;

function codes(byDefault: ErrorCode, ...others: Some[]): Codes {
  const all = Object.fromEntries(FAULTS.map((fault) => [fault, byDefault])) as Record<FaultName, ErrorCode>;
  return Object.assign(all, ...others);
}

function each(faults: readonly FaultName[], code: ErrorCode): Some {
  return Object.fromEntries(faults.map((fault) => [fault, code]));
}

export const ICL = codes(
  "icl-unreachable",
  { "400": "icl-refused", "401": "icl-unknown-node", "404": "icl-unknown-node", "429": "icl-rate-limited" },
  each(LIES, "icl-malformed"),
);
/** The coordinator's certain no to an attestation has a name of its own. */
export const ATTESTATION: Codes = { ...ICL, "400": "attestation-refused" };
export const IPFS = codes("ipfs-unavailable", each(LIES, "ipfs-mismatch"));
export const PIN = codes("pin-unavailable", each(["400", "401", "404"], "pin-refused"));
export const RPC = codes("rpc-unavailable");
export const COFHE = codes("cofhe-unavailable");
export const MODEL = codes(
  "model-unavailable",
  { "400": "model", "401": "model-key", "404": "model", "429": "model-rate-limited" },
  each(CUTS, "model-unavailable"),
);
export const PAYMENT = codes("payment-unavailable");
