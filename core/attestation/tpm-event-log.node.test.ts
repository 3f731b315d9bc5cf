import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf, type MadeEvent, makeEventLog } from "../../test/swtpm/event-log.ts";
import { MalformedEvidence } from "./bytes.ts";
import { parseEventLog, replayEventLog } from "./tpm-event-log.ts";

const EVENTS: readonly MadeEvent[] = [
  { pcr: 0, type: 8, data: "one" },
  { pcr: 0, type: 8, data: "two" },
  { pcr: 7, type: 0x80000001, data: "three" },
];
const ZERO = Buffer.alloc(32);
const extend = (before: Uint8Array, data: string) =>
  digestOf("sha256", Buffer.concat([before, digestOf("sha256", data)]));
const bytes = (log: Buffer) => Uint8Array.from(log);
const pcr0 = async (log: Buffer) => Buffer.from((await replayEventLog(bytes(log))).pcrs.get(0) ?? []);

describe("an event log", () => {
  it("replays to the PCRs it was extended into", async () => {
    const { pcrs, events } = await replayEventLog(bytes(makeEventLog(EVENTS)));
    expect([...pcrs.keys()]).toEqual([0, 7]);
    expect(Buffer.from(pcrs.get(0) ?? [])).toEqual(extend(extend(ZERO, "one"), "two"));
    expect(Buffer.from(pcrs.get(7) ?? [])).toEqual(extend(ZERO, "three"));
    expect(events.map(({ data }) => new TextDecoder().decode(data))).toEqual(["one", "two", "three"]);
  });

  it("replays the same with other banks beside", async () => {
    const log = makeEventLog(EVENTS, ["sha1", "sha384", "sha256"]);
    expect(await pcr0(log)).toEqual(extend(extend(ZERO, "one"), "two"));
  });

  it("does not extend what only informs", async () => {
    const log = makeEventLog([{ pcr: 0, type: 3, data: "information" }, ...EVENTS]);
    expect(await pcr0(log)).toEqual(extend(extend(ZERO, "one"), "two"));
  });

  it("starts PCR 0 with the locality that the machine started its TPM from", async () => {
    const locality = Buffer.concat([Buffer.from("StartupLocality\0"), Buffer.from([3])]);
    const log = makeEventLog([{ pcr: 0, type: 3, data: locality }, ...EVENTS]);
    const start = Buffer.concat([ZERO.subarray(1), Buffer.from([3])]);
    expect(await pcr0(log)).toEqual(extend(extend(start, "one"), "two"));
  });

  it.each([0x00, 0xff])("ends where only bytes 0x%s follow", async (byte) => {
    const log = Buffer.concat([makeEventLog(EVENTS), Buffer.alloc(500, byte)]);
    expect(await pcr0(log)).toEqual(extend(extend(ZERO, "one"), "two"));
  });

  it("of another form or without SHA-256 is refused", async () => {
    const old = makeEventLog(EVENTS);
    old.write("Spec ID Event02", 32, "latin1");
    await expect(replayEventLog(bytes(old))).rejects.toThrow(MalformedEvidence);
    await expect(replayEventLog(bytes(makeEventLog(EVENTS, ["sha1"])))).rejects.toThrow(MalformedEvidence);
  });

  it("that is cut within an event is refused", () => {
    const log = bytes(makeEventLog(EVENTS));
    const ends = [0, 1, 2, 3].map((count) => makeEventLog(EVENTS.slice(0, count)).length);
    for (let length = 0; length < log.length; length++) {
      // Cut in the zeroes at an event's beginning, it looks as if it were padded.
      const padding = ends.some((end) => length >= end && log.slice(end, length).every((byte) => byte === 0));
      if (!padding) expect(() => parseEventLog(log.slice(0, length))).toThrow(MalformedEvidence);
    }
  });

  it("of any bytes at all is read or refused, and nothing else", () => {
    const log = bytes(makeEventLog(EVENTS));
    const change = fc.array(fc.tuple(fc.nat({ max: log.length - 1 }), fc.nat({ max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(change, (changes) => {
        const changed = log.slice();
        for (const [at, byte] of changes) changed[at] = byte;
        try {
          parseEventLog(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedEvidence);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
