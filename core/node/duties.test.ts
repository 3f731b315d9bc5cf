import { describe, expect, it } from "vitest";
import { chainHeartbeatDue, DEFAULT_INTERVALS, DUTIES, type Duty, DutySchedule, TICK_SLACK_MS } from "./duties.ts";

const T0 = 1_800_000_000_000;

/** Takes what is due and finishes it at once. */
function round(schedule: DutySchedule, nowMs: number): Duty[] {
  const duties = schedule.take(nowMs);
  for (const duty of duties) schedule.finished(duty);
  return duties;
}

describe("the duty schedule", () => {
  it("has everything due at the start", () => {
    expect(round(new DutySchedule(DEFAULT_INTERVALS), T0)).toEqual([...DUTIES]);
  });

  it.each(DUTIES)("has %s due again after its interval, less the slack of a tick, and not before", (duty) => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    round(schedule, T0);
    expect(schedule.take(T0 + DEFAULT_INTERVALS[duty] - TICK_SLACK_MS - 1)).not.toContain(duty);
    expect(schedule.take(T0 + DEFAULT_INTERVALS[duty] - TICK_SLACK_MS)).toContain(duty);
  });

  it("does nothing more when called too often", () => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    round(schedule, T0);
    for (let call = 0; call < 10; call++) expect(round(schedule, T0 + call)).toEqual([]);
  });

  it("never starts a duty that is still running, however late it is", () => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    schedule.take(T0);
    expect(schedule.take(T0 + 10 * DEFAULT_INTERVALS.chain)).toEqual([]);
    expect(schedule.takeOne("poll", T0 + 10 * DEFAULT_INTERVALS.chain)).toBe(false);
    schedule.finished("poll");
    expect(schedule.take(T0 + 10 * DEFAULT_INTERVALS.chain)).toEqual(["poll"]);
  });

  it("counts the interval from the start of a duty, so that a slow answer does not stretch it", () => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    schedule.take(T0);
    schedule.finished("poll");
    expect(schedule.take(T0 + DEFAULT_INTERVALS.poll)).toEqual(["poll"]);
  });

  it("brings a hastened duty forward and never puts one off", () => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    round(schedule, T0);
    schedule.hasten("known", T0 + 100);
    schedule.hasten("poll", T0 + 100, 3_600_000);
    expect(round(schedule, T0 + 100)).toEqual(["known"]);
    expect(round(schedule, T0 + DEFAULT_INTERVALS.poll)).toContain("poll");
  });

  it("misses no round when every alarm fires a little early", () => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    let polls = 0;
    for (let tick = 0; tick < 100; tick++) {
      if (round(schedule, T0 + tick * (DEFAULT_INTERVALS.poll - 2)).includes("poll")) polls++;
    }
    expect(polls).toBe(100);
  });

  it("catches up after a long sleep with one round, not one for each missed interval", () => {
    const schedule = new DutySchedule(DEFAULT_INTERVALS);
    round(schedule, T0);
    const later = T0 + 24 * 3_600_000;
    expect(round(schedule, later)).toEqual([...DUTIES]);
    expect(round(schedule, later + 1)).toEqual([]);
  });
});

describe("the heartbeat on chain", () => {
  const DAY = 86_400;
  it.each([
    ["never sent", 0, 950_400, 1_800_000_000, true],
    ["sent 10 days ago", 1_000_000, 950_400, 1_000_000 + 10 * DAY, true],
    ["sent just under 10 days ago", 1_000_000, 950_400, 1_000_000 + 10 * DAY - 1, false],
    ["with 5 days of grace, after 4", 1_000_000, 5 * DAY, 1_000_000 + 4 * DAY, true],
    ["with 5 days of grace, before 4", 1_000_000, 5 * DAY, 1_000_000 + 4 * DAY - 1, false],
    ["with an hour of grace, before half of it", 1_000_000, 3600, 1_000_000 + 1799, false],
    ["with an hour of grace, after half of it", 1_000_000, 3600, 1_000_000 + 1800, true],
  ])("%s", (_name, lastSec, graceSec, nowSec, due) => {
    expect(chainHeartbeatDue(lastSec, graceSec, nowSec)).toBe(due);
  });
});
