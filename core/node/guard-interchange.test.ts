import { describe, expect, it } from "vitest";
import { GUARD_ENTRIES_MAX, readGuardFile, writeGuardFile } from "./guard-interchange.ts";

const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const ENTRY = { jobId: "0xab", role: "leader", commitment: "cd".repeat(32), outputCid: "bafk", at: 1 } as const;
const FORMAT = "blindference-commit-guard";
const file = (changes: object = {}) => ({ ...writeGuardFile([{ node: NODE, commitments: [ENTRY] }], 0), ...changes });

describe("a guard file", () => {
  it("is read as it was written, also after JSON", () => {
    expect(readGuardFile(JSON.parse(JSON.stringify(file())))).toEqual({
      ok: true,
      value: [{ node: NODE, commitments: [ENTRY] }],
    });
  });

  it("says what it is, of which version and from when", () => {
    expect(file().metadata).toEqual({ format: FORMAT, version: 1, exportedAt: "1970-01-01T00:00:00.000Z" });
  });

  it("may spell addresses in lower case", () => {
    const lower = file({ data: [{ node: NODE.toLowerCase(), commitments: [] }] });
    expect(readGuardFile(lower)).toEqual({ ok: true, value: [{ node: NODE, commitments: [] }] });
  });

  it("may list a job with two commitments, which is a dispute", () => {
    const both = [ENTRY, { ...ENTRY, commitment: "ef".repeat(32) }];
    expect(readGuardFile(file({ data: [{ node: NODE, commitments: both }] }))).toMatchObject({ ok: true });
  });

  it.each<[string, unknown, RegExp]>([
    ["nothing", null, /^the body: /],
    ["no metadata", { data: [] }, /^metadata: /],
    ["another format", file({ metadata: { format: "eip-3076", version: 1 } }), /^metadata\.format: must be blind/],
    ["a later version", file({ metadata: { format: FORMAT, version: 2 } }), /^metadata\.version: .*reads 1, not 2/],
    [
      "a later version that looks different",
      { metadata: { format: FORMAT, version: 2 }, nodes: {} },
      /^metadata\.version: .*not 2/,
    ],
    ["no data", file({ data: undefined }), /^data: /],
    ["no address", file({ data: [{ node: "0x12", commitments: [] }] }), /^data\.0\.node: /],
    ["a mistyped address", file({ data: [{ node: NODE.replace("2A", "2a"), commitments: [] }] }), /checksum/],
    ["an upper-case commitment", withEntry({ commitment: "CD".repeat(32) }), /^data\.0\.commitments\.0\.commitment: /],
    ["a commitment with 0x", withEntry({ commitment: `0x${"cd".repeat(32)}` }), /commitment: must be 64/],
    ["an unknown role", withEntry({ role: "both" }), /role: /],
    ["an empty job id", withEntry({ jobId: "" }), /jobId: /],
    ["an endless job id", withEntry({ jobId: "x".repeat(513) }), /jobId: /],
    ["a job id with a control character", withEntry({ jobId: "job\u0000" }), /jobId: /],
    ["an endless CID", withEntry({ outputCid: "b".repeat(513) }), /outputCid: /],
    ["a time that is none", withEntry({ at: -1 }), /at: /],
    ["a field it does not know", withEntry({ force: true }), /^data\.0\.commitments\.0: /],
    [
      "more than one file holds",
      file({ data: [{ node: NODE, commitments: Array.from({ length: GUARD_ENTRIES_MAX + 1 }, () => ENTRY) }] }),
      /^data\.0\.commitments: /,
    ],
  ])("with %s is refused, and the field named", (_what, given, field) => {
    const read = readGuardFile(given);
    expect(read).toEqual({ ok: false, refusal: expect.stringMatching(field) });
  });
});

function withEntry(changes: object): unknown {
  return file({ data: [{ node: NODE, commitments: [{ ...ENTRY, ...changes }] }] });
}
