/** An alarm this far in the past will not fire any more: seen in production (cloudflare-docs#18324). */
const LOST_MS = 30_000;

/** Whether an object that should have an alarm has none that will fire. Both in ms since the epoch. */
export function isAlarmLost(alarmMs: number | null, nowMs: number): boolean {
  return alarmMs === null || alarmMs < nowMs - LOST_MS;
}
