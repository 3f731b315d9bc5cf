/**
 * The node's recurring duties and when each is due. The schedule lives in memory on purpose: a row a tick would cost
 * more than it saves, and after a restart doing every duty once is what one wants. A duty that is still running is
 * never started again, so calling `due` too often does no harm.
 */

export const DUTIES = [
  "poll",
  "heartbeat",
  "watchdog",
  "known",
  "chain",
  "models",
  "earnings",
  "history",
  "transactions",
  "probes",
  "revive",
  "retention",
] as const;
export type Duty = (typeof DUTIES)[number];

/** How often each duty runs, in ms, and why that often. */
export interface DutyIntervals {
  /** Assignments: the network's pace (protocol §1). */
  poll: number;
  /** ICL heartbeat: 60 s, silent nodes leave the selection after 300 s. */
  heartbeat: number;
  /** Certificate: re-attest when under 6 h are left. */
  watchdog: number;
  /** Whether the coordinator still knows the node: it may forget silently and answer 200 (protocol §1). */
  known: number;
  /** On-chain look: registration, last heartbeat, grace, balance, stake. */
  chain: number;
  /** Which models the local server lists. */
  models: number;
  /** What the payment service says was earned. */
  earnings: number;
  /** Writing what the outbox still holds to D1. */
  history: number;
  /** Transactions whose receipt is still out. */
  transactions: number;
  /** Asking what failed three times in a row whether it is back. */
  probes: number;
  /** Waking jobs that have not been heard of: an alarm may be lost. */
  revive: number;
  /** Deleting history that is older than the settings keep. */
  retention: number;
}

export const DEFAULT_INTERVALS: DutyIntervals = {
  poll: 5_000,
  heartbeat: 60_000,
  watchdog: 600_000,
  known: 120_000,
  chain: 3_600_000,
  models: 600_000,
  earnings: 600_000,
  history: 5_000,
  transactions: 5_000,
  probes: 5_000,
  revive: 60_000,
  retention: 3_600_000,
};

/**
 * A tick this much early counts as in time: the alarm's pace is the poll's pace, and one that fires a millisecond early
 * must not cost a whole round.
 */
export const TICK_SLACK_MS = 500;

export class DutySchedule {
  readonly #intervals: DutyIntervals;
  readonly #dueAt = new Map<Duty, number>();
  readonly #running = new Set<Duty>();

  constructor(intervals: DutyIntervals) {
    this.#intervals = intervals;
  }

  /** The duties to start now; each is marked as running until `finished`. */
  take(nowMs: number): Duty[] {
    const duties = DUTIES.filter(
      (duty) => !this.#running.has(duty) && nowMs + TICK_SLACK_MS >= (this.#dueAt.get(duty) ?? 0),
    );
    for (const duty of duties) this.#start(duty, nowMs);
    return duties;
  }

  /** Claims one duty out of turn, for an operator's or a hint's wish. False while it is running already. */
  takeOne(duty: Duty, nowMs: number): boolean {
    if (this.#running.has(duty)) return false;
    this.#start(duty, nowMs);
    return true;
  }

  finished(duty: Duty): void {
    this.#running.delete(duty);
  }

  /** Makes a duty due at once, or after `inMs`. */
  hasten(duty: Duty, nowMs: number, inMs = 0): void {
    this.#dueAt.set(duty, Math.min(this.#dueAt.get(duty) ?? 0, nowMs + inMs));
  }

  /** Counted from the start, not from the end, so that a slow answer does not stretch the interval. */
  #start(duty: Duty, nowMs: number): void {
    this.#running.add(duty);
    this.#dueAt.set(duty, nowMs + this.#intervals[duty]);
  }
}

/** Heartbeat on chain every 10 days, or a day before a shorter grace ends (protocol §7). */
const CHAIN_HEARTBEAT_SEC = 864_000;
const CHAIN_GRACE_MARGIN_SEC = 86_400;

/** Whether `NodeRegistry.heartbeat()` is due. All in unix seconds; `lastHeartbeatSec` 0 means never. */
export function chainHeartbeatDue(lastHeartbeatSec: number, graceSec: number, nowSec: number): boolean {
  // Below two days of grace a whole day's margin would ask for a heartbeat without end: half the grace, then.
  const beforeGrace = Math.max(graceSec - CHAIN_GRACE_MARGIN_SEC, Math.floor(graceSec / 2));
  return nowSec >= lastHeartbeatSec + Math.min(CHAIN_HEARTBEAT_SEC, beforeGrace);
}
