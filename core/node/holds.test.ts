import { describe, expect, it } from "vitest";
import { conditionsOf, HOLDS, type HoldCode, type HoldView, STANDING } from "./holds.ts";

const T0 = 1_800_000_000_000;

const WELL: HoldView = {
  nowMs: T0,
  certificateExpiresMs: T0 + 3_600_000,
  heartbeatSinceMs: T0 - 60_000,
  gas: { neededWei: 10n, balanceWei: 10n },
  waitingSinceMs: null,
  copyCheckSinceMs: null,
};

const codes = (view: Partial<HoldView>) => conditionsOf({ ...WELL, ...view }).map(({ code }) => code);

describe("the conditions that hold a node", () => {
  it("are none while all is well", () => {
    expect(conditionsOf(WELL)).toEqual([]);
  });

  it.each<[HoldCode, string, Partial<HoldView>, Partial<HoldView>]>([
    ["certificate", "has run out", { certificateExpiresMs: T0 }, { certificateExpiresMs: T0 + 1 }],
    ["heartbeats", "failed for over 200 s", { heartbeatSinceMs: T0 - 200_001 }, { heartbeatSinceMs: T0 - 200_000 }],
    ["gas", "is a wei short", { gas: { neededWei: 10n, balanceWei: 9n } }, { gas: null }],
    ["transactions", "wait for over a minute", { waitingSinceMs: T0 - 60_001 }, { waitingSinceMs: T0 - 60_000 }],
    ["copy-check", "is under way", { copyCheckSinceMs: T0 - 1 }, { copyCheckSinceMs: null }],
  ])("hold for %s that %s, and not before", (code, _what, view, before) => {
    expect(codes(view)).toEqual([code]);
    expect(codes(before)).toEqual([]);
  });

  it("do not speak of heartbeats before there is a certificate to beat for", () => {
    expect(codes({ certificateExpiresMs: null, heartbeatSinceMs: 0 })).toEqual([]);
  });
});

describe("the table of holds", () => {
  it("has exactly those end with the operator that are stored", () => {
    const byOperator = Object.entries(HOLDS).flatMap(([code, { ends }]) => (ends === "operator" ? [code] : []));
    expect(byOperator).toEqual([...STANDING]);
  });
});
