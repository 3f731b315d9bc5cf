import { describe, expect, it } from "vitest";
import { heardBeat, lastHeartbeatSec, newWatch, sentBeat } from "./second-copy.ts";

const T0 = 1_800_000_000;

describe("watching for a second copy", () => {
  it("finds none while every heartbeat heard is one of ours, to within the rounding of clocks", () => {
    let watch = newWatch(T0);
    for (let beat = 1; beat <= 50; beat++) {
      const at = T0 + 60 * beat;
      watch = sentBeat(watch, at, at + 1);
      for (const heard of [at - 3, at, at + 4]) {
        const judged = heardBeat(watch, heard);
        expect(judged.secondCopy).toBe(false);
        watch = judged.watch;
      }
    }
    expect(watch.foreign).toEqual([]);
  });

  it("finds one at the second different moment that was none of ours", () => {
    const watch = sentBeat(newWatch(T0), T0 + 60, T0 + 60);
    const first = heardBeat(watch, T0 + 90);
    expect(first.secondCopy).toBe(false);
    expect(heardBeat(first.watch, T0 + 90).secondCopy).toBe(false);
    expect(heardBeat(first.watch, T0 + 150).secondCopy).toBe(true);
  });

  it("counts a heartbeat whose answer was lost as ours, as long as it was on its way", () => {
    const watch = sentBeat(newWatch(T0), T0 + 60, T0 + 70);
    expect(heardBeat(watch, T0 + 66).watch.foreign).toEqual([]);
  });

  it("says nothing about what was heard before the start or just after it", () => {
    const watch = newWatch(T0);
    expect(heardBeat(watch, T0 - 1_000).watch.foreign).toEqual([]);
    expect(heardBeat(watch, T0 + 15).watch.foreign).toEqual([]);
    expect(heardBeat(watch, T0 + 16).watch.foreign).toEqual([T0 + 16]);
  });
});

describe("the coordinator's last heartbeat", () => {
  it.each<[unknown, number | null]>([
    [T0, T0],
    [T0 + 0.75, T0],
    [T0 * 1000, T0],
    [String(T0), T0],
    ["2027-01-15T08:00:00Z", T0],
    [0, null],
    [-5, null],
    ["never", null],
    [null, null],
    [undefined, null],
    [{}, null],
  ])("%j is read as %j", (given, expected) => {
    expect(lastHeartbeatSec({ last_heartbeat: given })).toBe(expected);
  });

  it("is unknown where there are no metrics", () => {
    expect(lastHeartbeatSec(undefined)).toBeNull();
  });
});
