/**
 * What the coordinator remembers, all of it in memory: nodes, challenges, jobs, and what it holds against nodes. `forget`
 * is a restart without the process ending.
 */
import type { Address, Hex } from "viem";
import type { DoubleCommitment, Job } from "./job.ts";
import type { NodeEntry } from "./nodes.ts";

export interface Challenge {
  node: Address;
  nonce: Uint8Array<ArrayBuffer>;
  expiresAtMs: number;
}

/** A claim that ran out, and the transaction that told the staking contract. */
export interface RecordedFailure {
  jobId: string;
  node: Address;
  atMs: number;
  tx: Hex | null;
  attempts: number;
}

/** How unknown nodes are answered: refused, or with an empty list as if nothing were wrong. */
export type UnknownNodes = "strict" | "silent";

export interface CoordinatorState {
  nodes: Map<Address, NodeEntry>;
  challenges: Map<string, Challenge>;
  jobs: Map<string, Job>;
  /** A node's last list of offers, where lists are cached. */
  lists: Map<Address, { atMs: number; jobs: Job[] }>;
  doubleCommitments: DoubleCommitment[];
  failures: RecordedFailure[];
  /** Faults of the chain or the payment service, as codes: why something is not settled. */
  faults: { during: string; code: string; atMs: number }[];
  unknownNodes: UnknownNodes;
  /** Previews so far: whose turn it is to lead. */
  turn: number;
}

export function createState(): CoordinatorState {
  return {
    nodes: new Map(),
    challenges: new Map(),
    jobs: new Map(),
    lists: new Map(),
    doubleCommitments: [],
    failures: [],
    faults: [],
    unknownNodes: "strict",
    turn: 0,
  };
}

/** Loses every node, and the jobs too unless they are kept. What is held against nodes stays on record. */
export function forget(state: CoordinatorState, mode: UnknownNodes, keepJobs: boolean): void {
  state.nodes.clear();
  state.challenges.clear();
  state.lists.clear();
  if (!keepJobs) state.jobs.clear();
  state.unknownNodes = mode;
}
