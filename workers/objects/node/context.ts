/** What the Node object's duties share: its durable parts, its clients, and what it remembers only while awake. */
import type { TransactionQueue } from "../../../core/chain/queue.ts";
import type { IclClient } from "../../../core/icl/client.ts";
import type { BackendName } from "../../../core/inference/backend.ts";
import type { DutySchedule } from "../../../core/node/duties.ts";
import type { HoldCode } from "../../../core/node/holds.ts";
import { type BeatWatch, newWatch } from "../../../core/node/second-copy.ts";
import type { Capabilities } from "../../../core/sidecar/wire.ts";
import type { Signer } from "../../../core/signer.ts";
import type { Env } from "../../env.ts";
import type { Kit } from "../../wiring.ts";
import type { JobIndex } from "./job-index.ts";
import type { Outbox } from "./outbox.ts";
import type { NodeStore } from "./store.ts";

/** Lost on eviction, and rebuilt by doing every duty once. */
export interface LiveState {
  startedAtMs: number;
  /** Heartbeats heard and sent, to notice a second copy of this node. */
  watch: BeatWatch;
  /** When the coordinator was last asked for its record of this node, and whether to ask again at once. */
  lastRecordMs: number;
  suspect: boolean;
  /** While a new deployment finds out whether it is alone: since when, and what it saw. */
  copyCheck: { sinceMs: number; changedAtMs: number; lastSec: number; changes: number } | null;
  /** Holds that the operator has been told of. */
  announced: Set<HoldCode>;
  /** Whether the operator has been told that the clocks differ. */
  clockTold: boolean;
  lastPollOkMs: number | null;
  lastHeartbeatOkMs: number | null;
  lastError: { code: string; message: string; hint: string; atMs: number } | null;
  /** An examination of the backends that is under way. */
  examination: Promise<void> | null;
  /** Whether one has come to its end. */
  examined: boolean;
  /** Model ids the local server lists; null until it has been asked. */
  discovered: readonly string[] | null;
  /** What the sidecar said of itself when last asked; null before that and in edge mode. */
  sidecar: Capabilities | null;
  /** Backends whose key the provider refused when last asked. */
  refusedKeys: Set<BackendName>;
  /** Offers left alone, by job, so that each is logged once. */
  refused: Map<string, string>;
  /** This hour's heartbeats, for the history. */
  beats: { hourMs: number; sent: number; failed: number };
}

export function newLiveState(nowMs: number): LiveState {
  return {
    startedAtMs: nowMs,
    watch: newWatch(Math.floor(nowMs / 1000)),
    lastRecordMs: 0,
    suspect: false,
    copyCheck: null,
    announced: new Set(),
    clockTold: false,
    lastPollOkMs: null,
    lastHeartbeatOkMs: null,
    lastError: null,
    examination: null,
    examined: false,
    discovered: null,
    sidecar: null,
    refusedKeys: new Set(),
    refused: new Map(),
    beats: { hourMs: 0, sent: 0, failed: 0 },
  };
}

export interface NodeContext {
  env: Env;
  kit: Kit;
  signer: Signer;
  icl: IclClient;
  store: NodeStore;
  jobs: JobIndex;
  outbox: Outbox;
  transactions: TransactionQueue;
  /** Forgets finished ones that nobody can ask for again. */
  forgetTransactions: (days: number, limit: number) => void;
  schedule: DutySchedule;
  live: LiveState;
  /** Whether a leader's output key can be encrypted on this chain, by this deployment or by its sidecar. */
  canEncryptOutputKey(): boolean;
}

/** An event for the operator: one log line and one row of history. */
export function tell(
  context: NodeContext,
  level: "info" | "warn" | "error",
  type: string,
  fields: Record<string, string | number | boolean | null>,
): void {
  const { kit, signer, outbox } = context;
  const at = kit.clock.now();
  kit.log(level, type, { node: signer.address, ...fields });
  const id = `${signer.address}/${type}/${at}/${crypto.randomUUID().slice(0, 8)}`;
  outbox.put(id, {
    kind: "event",
    row: { id, node: signer.address, jobId: null, at, level, type, fields: JSON.stringify(fields) },
  });
}
