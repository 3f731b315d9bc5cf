import { describe, expect, it } from "vitest";
import { sampleOffer } from "../jobs/sample-offer.ts";
import { readRows } from "./rows.ts";

const row = { ...sampleOffer("leader", 0), kpHighHandle: "1", kpLowHandle: "2" };

describe("an id in an offer", () => {
  it.each([
    "0xab",
    "job 7",
    "../etc/passwd",
    "a/b?c#d",
    "d'; DROP TABLE jobs; --",
    "größer 😀",
    "...",
    "x".repeat(512),
  ])("may be any text: %j", (text) => {
    const { assignments } = readRows([{ ...row, jobId: text, modelId: text }]);
    expect(assignments.map(({ jobId, modelId }) => [jobId, modelId])).toEqual([[text, text]]);
  });

  it.each([
    ["nothing", ""],
    ["a dot segment", "."],
    ["two dots", ".."],
    ["a NUL", "a\0b"],
    ["a line break", "a\r\nb"],
    ["half of a surrogate pair", "a\ud800"],
    ["the other half", "\udc00a"],
    ["more than any id has", "x".repeat(513)],
  ])("may not be %s", (_name, text) => {
    for (const field of ["jobId", "modelId"]) {
      const { assignments, rejected } = readRows([{ ...row, [field]: text }]);
      expect(assignments).toEqual([]);
      expect(rejected[0]?.reason).toContain(`: ${field}`);
    }
  });
});
