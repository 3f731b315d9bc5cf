import { describe, expect, it } from "vitest";
import { makeTdxQuote } from "../../test/swtpm/reports.ts";
import { type Bytes, concat, MalformedEvidence } from "./bytes.ts";
import { parseTdxQuote, verifyTdxSignature } from "./tdx-quote.ts";

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const QUOTE = await makeTdxQuote();
const BODY = {
  teeTcbSvn: filled(16, 1),
  mrSeam: filled(48, 2),
  mrSignerSeam: filled(48, 3),
  seamAttributes: 0x0404040404040404n,
  tdAttributes: 0x10000000n,
  debug: false,
  xfam: 0x0606060606060606n,
  mrTd: filled(48, 7),
  mrConfigId: filled(48, 8),
  mrOwner: filled(48, 9),
  mrOwnerConfig: filled(48, 10),
  rtmr: [filled(48, 11), filled(48, 12), filled(48, 13), filled(48, 14)],
  reportData: filled(64, 15),
};

function changed(quote: Bytes, at: number, byte: number): Bytes {
  return quote.map((old, index) => (index === at ? byte : old));
}

describe("a TDX quote", () => {
  it("of format 4 is read field by field at the offsets of Intel's specification", () => {
    const { header, body, signed, qe } = parseTdxQuote(QUOTE);
    expect(header).toEqual({
      version: 4,
      attestationKeyType: 2,
      teeType: 0x81,
      svns: filled(4, 0x31),
      qeVendorId: filled(16, 0x32),
      userData: filled(20, 0x33),
    });
    expect(body).toEqual({ ...BODY, teeTcbSvn2: null, mrServiceTd: null });
    expect(signed).toEqual(QUOTE.slice(0, 48 + 584));
    expect(qe).toMatchObject({ certificateType: 5, authData: filled(32, 0x41) });
    expect(new TextDecoder().decode(qe?.certificates)).toBe("certificates");
  });

  it("of format 5 is read with either body", async () => {
    const old = parseTdxQuote(await makeTdxQuote({ format: 5 }));
    expect(old.body).toEqual({ ...BODY, teeTcbSvn2: null, mrServiceTd: null });
    const extended = parseTdxQuote(await makeTdxQuote({ format: 5, extended: true }));
    expect(extended.body).toEqual({ ...BODY, teeTcbSvn2: filled(16, 16), mrServiceTd: filled(48, 17) });
  });

  it("may be followed by zeroes, and by nothing else", () => {
    expect(parseTdxQuote(concat(QUOTE, new Uint8Array(3_000)))).toEqual(parseTdxQuote(QUOTE));
    expect(() => parseTdxQuote(concat(QUOTE, Uint8Array.of(0, 1)))).toThrow(MalformedEvidence);
  });

  it("tells that debugging is allowed", async () => {
    expect(parseTdxQuote(await makeTdxQuote({ tdAttributes: 1n })).body.debug).toBe(true);
  });

  it("is refused at every length but its own", () => {
    for (let length = 0; length < QUOTE.length; length++) {
      expect(() => parseTdxQuote(QUOTE.slice(0, length))).toThrow(MalformedEvidence);
    }
  });

  it.each([
    ["format 3", 0, 3],
    ["a key that is not P-256", 2, 3],
    ["another technology", 4, 0],
  ])("of %s is refused", (_name, at, byte) => {
    expect(() => parseTdxQuote(changed(QUOTE, at, byte))).toThrow(MalformedEvidence);
  });

  it.each([
    ["another body", 48, 1],
    ["a body of another size", 50, 0],
  ])("of format 5 with %s is refused", async (_name, at, byte) => {
    const quote = await makeTdxQuote({ format: 5 });
    expect(() => parseTdxQuote(changed(quote, at, byte))).toThrow(MalformedEvidence);
  });
});

describe("a TDX quote's own signature", () => {
  it.each([{}, { format: 5 as const, extended: true }])("is accepted over header and body", async (options) => {
    expect(await verifyTdxSignature(parseTdxQuote(await makeTdxQuote(options)))).toBe(true);
  });

  it("is refused with any byte of header or body changed", async () => {
    for (let at = 8; at < 48 + 584; at += 3) {
      const quote = parseTdxQuote(changed(QUOTE, at, (QUOTE[at] ?? 0) ^ 1));
      expect(await verifyTdxSignature(quote)).toBe(false);
    }
  });

  it("is refused where the quoting enclave names another key", async () => {
    const quote = parseTdxQuote(QUOTE);
    const authData = filled(32, 0);
    expect(await verifyTdxSignature({ ...quote, qe: quote.qe && { ...quote.qe, authData } })).toBe(false);
  });

  it("is refused without the quoting enclave's report, and with a key that is none", async () => {
    const quote = parseTdxQuote(QUOTE);
    expect(await verifyTdxSignature({ ...quote, qe: null })).toBe(false);
    expect(await verifyTdxSignature({ ...quote, attestationKey: filled(64, 1) })).toBe(false);
  });
});
