/**
 * What keeps a node from claiming, and what lets it go on: one table, from which docs/operate/pauses.md is generated.
 * A hold never stops heartbeats, polls or work that is claimed. Standing holds are stored and end with the operator's
 * resume; the others follow from what the node sees and end by themselves.
 */

export interface HoldRule {
  /** What is left unclaimed meanwhile. */
  blocks: "everything" | "leader" | "its models";
  /** Who ends it. */
  ends: "operator" | "itself";
  /** When it begins; a clause. */
  when: string;
  /** When it ends; a clause. */
  until: string;
  /** What the operator should do. */
  hint: string;
}

export const HOLDS = {
  operator: {
    blocks: "everything",
    ends: "operator",
    when: "the operator paused the node",
    until: "the operator resumes it",
    hint: "Resume with `blindference-edge resume` (POST /api/resume).",
  },
  drained: {
    blocks: "everything",
    ends: "operator",
    when: "the node was told to drain, and everything it had claimed is done",
    until: "the operator resumes it",
    hint: "It can be stopped or moved now; `blindference-edge resume` (POST /api/resume) goes on.",
  },
  failures: {
    blocks: "everything",
    ends: "operator",
    when: "two claimed jobs in a row failed, by the node's own count or the chain's; a third costs the whole stake",
    until: "the operator resumes it; then jobs are taken one at a time until one succeeds",
    hint: "See `blindference-edge jobs list --status failed` for the reasons, cure them, then `blindference-edge resume` (POST /api/resume).",
  },
  "second-copy": {
    blocks: "everything",
    ends: "operator",
    when: "the coordinator twice heard heartbeats of this address that this node did not send",
    until: "the operator resumes it",
    hint: "Another node runs with the same key. Stop one of the two, then `blindference-edge resume` (POST /api/resume). Two copies can commit twice.",
  },
  "copy-check": {
    blocks: "everything",
    ends: "itself",
    when: "a new deployment finds that the coordinator heard of its address a moment ago",
    until: "no other heartbeat was seen for two minutes",
    hint: "Nothing to do if the node was moved here and the old one is stopped; it starts by itself.",
  },
  certificate: {
    blocks: "everything",
    ends: "itself",
    when: "the certificate has run out and could not be renewed",
    until: "the coordinator issues a new one; the node keeps asking",
    hint: "See lastError in GET /api/status for why the coordinator does not renew it.",
  },
  heartbeats: {
    blocks: "everything",
    ends: "itself",
    when: "no heartbeat got through for over 200 s; after 300 s the coordinator no longer selects the node",
    until: "a heartbeat is answered",
    hint: "Check BLF_ICL_ENDPOINT and the coordinator's state; the node keeps trying.",
  },
  gas: {
    blocks: "leader",
    ends: "itself",
    when: "the account's ETH does not pay for the storeKey transactions of the jobs it leads and one more",
    until: "the balance suffices; looked at every hour and after every transaction",
    hint: "Send Arbitrum Sepolia ETH to the node's address. Verifying goes on.",
  },
  transactions: {
    blocks: "leader",
    ends: "itself",
    when: "a transaction has waited for over a minute, so that another one would wait behind it",
    until: "it is mined",
    hint: "See GET /api/transactions; the network's fees may have risen above what the transaction offers.",
  },
  backend: {
    blocks: "its models",
    ends: "itself",
    when: "a model's backend refused its key, or failed three times in a row",
    until: "the key is taken again; a probe is answered, and then one job succeeds",
    hint: "See dependencies in GET /api/status for the reason.",
  },
  service: {
    blocks: "everything",
    ends: "itself",
    when: "IPFS or CoFHE failed three times in a row; for leaders also the pinning service or the RPC",
    until: "a probe is answered, and then one job succeeds",
    hint: "See dependencies in GET /api/status for the reason.",
  },
} as const satisfies Record<string, HoldRule>;

export type HoldCode = keyof typeof HOLDS;

/** The holds that are stored, because only the operator ends them. */
export const STANDING = ["operator", "drained", "failures", "second-copy"] as const satisfies readonly HoldCode[];
export type StandingHold = (typeof STANDING)[number];

/** One hold in force. */
export interface Hold {
  code: HoldCode;
  blocks: HoldRule["blocks"];
  ends: HoldRule["ends"];
  /** What happened, in words. */
  reason: string;
  hint: string;
  /** When it began, ms since the epoch; null where that is not known. */
  sinceMs: number | null;
}

export function hold(code: HoldCode, reason: string = HOLDS[code].when, sinceMs: number | null = null): Hold {
  const { blocks, ends, hint } = HOLDS[code];
  return { code, blocks, ends, reason, hint, sinceMs };
}

/** Silence after which the coordinator may soon forget the node: it selects no node that is silent for 300 s. */
export const HEARTBEATS_FAILING_MS = 200_000;
/** A transaction that waits for longer would hold up the next one for most of a claim's window. */
export const TRANSACTION_STUCK_MS = 60_000;

/** What the conditions are read from. Times in ms since the epoch. */
export interface HoldView {
  nowMs: number;
  certificateExpiresMs: number | null;
  /** The last heartbeat that was answered; the node's start where there was none yet. */
  heartbeatSinceMs: number;
  /** What a leader's transactions may cost, and what there is; null while not known. */
  gas: { neededWei: bigint; balanceWei: bigint } | null;
  /** When the oldest transaction without a receipt was made; null where there is none. */
  waitingSinceMs: number | null;
  copyCheckSinceMs: number | null;
}

/** The holds that follow from what the node sees, most serious first. */
export function conditionsOf(view: HoldView): Hold[] {
  const { nowMs, certificateExpiresMs, heartbeatSinceMs, gas, waitingSinceMs } = view;
  const holds: Hold[] = [];
  if (view.copyCheckSinceMs !== null) holds.push(hold("copy-check", undefined, view.copyCheckSinceMs));
  if (certificateExpiresMs !== null && certificateExpiresMs <= nowMs) {
    holds.push(hold("certificate", undefined, certificateExpiresMs));
  }
  if (certificateExpiresMs !== null && nowMs - heartbeatSinceMs > HEARTBEATS_FAILING_MS) {
    const seconds = Math.floor((nowMs - heartbeatSinceMs) / 1000);
    holds.push(hold("heartbeats", `no heartbeat got through for ${seconds} s`, heartbeatSinceMs));
  }
  if (gas !== null && gas.balanceWei < gas.neededWei) {
    holds.push(hold("gas", `${gas.balanceWei} wei of ETH, and leading one more job may need ${gas.neededWei}`));
  }
  if (waitingSinceMs !== null && nowMs - waitingSinceMs > TRANSACTION_STUCK_MS) {
    holds.push(hold("transactions", undefined, waitingSinceMs));
  }
  return holds;
}
