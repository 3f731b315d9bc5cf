/**
 * Watches for a second copy of this node (core/node/second-copy.ts). A deployment without any state looks before it
 * makes itself heard: while the coordinator goes on hearing from its address, another node with this key is alive.
 */
import { FOREIGN_AT, heardBeat, lastHeartbeatSec, sentBeat } from "../../../core/node/second-copy.ts";
import { type NodeContext, tell } from "./context.ts";
import { announceHolds, putHold } from "./guards.ts";

/** Heard of within this time, a node may still be alive somewhere: the coordinator's own measure of life. */
const ALIVE_SEC = 300;
/** How soon to look again while it is being found out, and after a first foreign heartbeat. */
const LOOK_AGAIN_MS = 15_000;

/** Runs a call that the coordinator counts as a sign of life, and remembers when it was heard. */
export async function asBeat<T>(context: NodeContext, call: () => Promise<T>): Promise<T> {
  const fromSec = coordinatorSec(context);
  try {
    return await call();
  } finally {
    context.live.watch = sentBeat(context.live.watch, fromSec, coordinatorSec(context));
  }
}

/** Judges what the coordinator last heard of this address; the second foreign moment stops claiming. */
export function watchForCopy(context: NodeContext, lastSec: number | null): void {
  const { live, schedule, kit } = context;
  if (lastSec === null) return;
  const before = live.watch.foreign.length;
  const { watch, secondCopy } = heardBeat(live.watch, lastSec);
  live.watch = watch;
  if (watch.foreign.length === before) return;
  live.suspect = true;
  schedule.hasten("known", kit.clock.now(), LOOK_AGAIN_MS);
  tell(context, "warn", "heartbeat.foreign", { atSec: lastSec });
  if (!secondCopy) return;
  const moments = watch.foreign.slice(-FOREIGN_AT).map((sec) => new Date(sec * 1000).toISOString());
  putHold(
    context,
    "second-copy",
    `the coordinator heard heartbeats that this node did not send (${moments.join(", ")})`,
  );
}

/**
 * Whether this deployment may make itself heard. True at once for one that has state of its own, or whose address the
 * coordinator does not know as alive; otherwise once nothing else was heard for `BLF_COPY_CHECK_SECONDS`.
 */
export async function isAlone(context: NodeContext): Promise<boolean> {
  const { store, live, icl, kit, schedule } = context;
  const waitMs = kit.settings.copyCheckSec * 1000;
  if (store.get("certificate") !== null || waitMs === 0) return true;
  if (store.get("holds")?.["second-copy"] !== undefined) return false;
  if (store.get("alone") === true) return true;
  const record = await icl.nodeRecord();
  const lastSec = lastHeartbeatSec(record?.metrics);
  const nowMs = kit.clock.now();
  const check = live.copyCheck;
  if (check === null) {
    if (record === null || lastSec === null || coordinatorSec(context) - lastSec > ALIVE_SEC) {
      store.set("alone", true);
      return true;
    }
    live.copyCheck = { sinceMs: nowMs, changedAtMs: nowMs, lastSec, changes: 0 };
  } else if (lastSec !== null && lastSec > check.lastSec) {
    live.copyCheck = { ...check, changedAtMs: nowMs, lastSec, changes: check.changes + 1 };
    if (check.changes + 1 >= FOREIGN_AT) {
      live.copyCheck = null;
      putHold(context, "second-copy", "the coordinator goes on hearing heartbeats from another node with this key");
      return false;
    }
  } else if (nowMs - check.changedAtMs >= waitMs) {
    endCopyCheck(context);
    announceHolds(context);
    return true;
  }
  announceHolds(context);
  schedule.hasten("watchdog", nowMs, LOOK_AGAIN_MS);
  return false;
}

/** The check is over: by itself, or because the operator had the node attest. */
export function endCopyCheck(context: NodeContext): void {
  context.live.copyCheck = null;
  if (context.store.get("alone") !== true) context.store.set("alone", true);
}

function coordinatorSec({ kit, icl }: NodeContext): number {
  return Math.floor((kit.clock.now() + icl.clockCorrectionMs()) / 1000);
}
