/** One call that a node makes to a service outside: where it goes, what for, what its faults are called, what they cost. */
import type { NetworkAddresses } from "../../devnet/chain/deploy.ts";
import type { Codes } from "./fault-codes.ts";
import type { FaultName, Lies } from "./fault-modes.ts";

export type Times = "few" | "always";

/** `accepted`, `not claimed`, `failed CODE`; `deadline CODE` for a job out of time whose last error was CODE. */
export type Outcome = string;

export type Door = "icl" | "ipfs" | "pin" | "payment" | "rpc" | "groq" | "gemini" | "openai";

/** Where a call goes. */
export interface Route {
  door: Door;
  method: "GET" | "POST";
  /**
   * A regular expression on the path; of an RPC node on the call's method and contract (devnet/chain/rpc-proxy.ts). A
   * contract's name in braces stands for its address.
   */
  path: string;
}

export interface Endpoint extends Lies, Route {
  name: string;
  /** What the node wants there; a clause. */
  purpose: string;
  /** The job for which the call is made. */
  role: "leader" | "verifier";
  model: string;
  /** How many failures are a few: an RPC call is repeated three times before it counts as failed. */
  few: number;
  codes: Codes;
  /** The call is a duty's, not a job's. */
  duty?: Duty;
  /** Where the outcome is not the rule's. */
  except?: { readonly [times in Times | "both"]?: { readonly [fault in FaultName]?: Outcome } };
  /** Why, in words. */
  note?: string;
  /** Seconds from a job's creation to its deadline; default 150. */
  deadlineSec?: number;
  /** Without these the node has no reason to make the call. */
  given?: readonly Given[];
  /** How much the local model's context holds; default: enough. */
  contextTokens?: number;
}

export interface Duty {
  name: string;
  /** When the fault begins: before the first certificate, or once the node is live. */
  from: "start" | "live";
  /** How long it has had its effect when the job is asked for, s. */
  beforeJobSec: number;
  /** The job's outcome while the fault stays. */
  always: Outcome;
  /** Faults that this call takes for an answer, or does without. */
  harmless?: readonly FaultName[];
}

/** A status that another call answers. */
export interface Given extends Route {
  status: number;
  count: number;
}

export const verifier = { few: 3, role: "verifier", model: "mock:demo" } as const;
export const leader = { ...verifier, role: "leader" } as const;

/** The route's path on this network's contracts. */
export function patternOf({ path }: Route, contracts: NetworkAddresses): string {
  return path.replace(/\{([a-zA-Z]\w*)\}/g, (_all, name: string) => {
    const address = contracts[name as keyof NetworkAddresses];
    if (address === undefined) throw new Error(`the network has no contract ${name}`);
    return address.toLowerCase();
  });
}
