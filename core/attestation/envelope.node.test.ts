import { hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import recorded from "../../test/swtpm/recorded.json" with { type: "json" };
import { MalformedEvidence, toBase64 } from "./bytes.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope, MAX_ENVELOPE_BYTES } from "./envelope.ts";

const RECORDED = Uint8Array.from(hexToBytes(`0x${recorded.quote}`));
const JSON_TEXT = new TextDecoder().decode(RECORDED);
const encode = (text: string) => new TextEncoder().encode(text);

const REPORT: Envelope = {
  claims: {
    chainId: 1,
    node: `0x${"11".repeat(20)}`,
    runtimeHash: "5a".repeat(32),
    models: ["ä", "模型"],
    sidecarKey: new Uint8Array(32),
    hpkeKey: new Uint8Array(),
    gpuEvidenceHash: new Uint8Array(),
  },
  evidence: { backend: "sev", report: { report: Uint8Array.of(1, 2, 3), certificates: null } },
};

describe("an envelope", () => {
  it("of a TPM reads as it was written", () => {
    expect(encodeEnvelope(decodeEnvelope(RECORDED))).toBe(recorded.quote);
  });

  it.each<Envelope>([
    REPORT,
    { ...REPORT, evidence: { backend: "sev", report: { report: new Uint8Array(9), certificates: Uint8Array.of(5) } } },
    { ...REPORT, evidence: { backend: "tdx", report: { report: new Uint8Array(70_000).fill(3), certificates: null } } },
  ])("of a report reads as it was written", (envelope) => {
    expect(decodeEnvelope(hexToBytes(`0x${encodeEnvelope(envelope)}`))).toEqual(envelope);
  });

  it("is refused at every length but its own", () => {
    for (let length = 0; length < RECORDED.length; length += 7) {
      expect(() => decodeEnvelope(RECORDED.slice(0, length))).toThrow(MalformedEvidence);
    }
  });

  const akPublic = /"akPublic":"([^"]+)"/.exec(JSON_TEXT)?.[1] ?? "";
  it.each([
    ["a member more", JSON_TEXT.replace("{", '{"more":1,')],
    ["a claim more", JSON_TEXT.replace('"claims":{', '"claims":{"more":1,')],
    ["a member less", JSON_TEXT.replace(/"ekCertificate":[^,]+,/, "")],
    ["another version", JSON_TEXT.replace('"blf-attest/1"', '"blf-attest/2"')],
    ["another backend than its evidence", JSON_TEXT.replace('"backend":"tpm"', '"backend":"sev"')],
    ["the mock's backend", JSON_TEXT.replace('"backend":"tpm"', '"backend":"mock"')],
    ["a PCR that there is not", JSON_TEXT.replace('"15":', '"24":')],
    ["base64 with a space", JSON_TEXT.replace(akPublic, ` ${akPublic}`)],
    ["base64 that is none", JSON_TEXT.replace(akPublic, `${akPublic.slice(0, -1)}*`)],
    [
      "a key of three bytes",
      JSON_TEXT.replace(/"sidecarKey":"[^"]*"/, `"sidecarKey":"${toBase64(new Uint8Array(3))}"`),
    ],
    ["half a character in a model's id", JSON_TEXT.replace("facebook", "\\ud800")],
    ["a chain id beyond what a number holds", JSON_TEXT.replace("421614", "9007199254740993")],
    ["no JSON", "{"],
    ["null", "null"],
    ["too much", JSON_TEXT + " ".repeat(MAX_ENVELOPE_BYTES)],
  ])("with %s is refused", (_name, text) => {
    expect(text).not.toBe(JSON_TEXT);
    expect(() => decodeEnvelope(encode(text))).toThrow(MalformedEvidence);
  });

  it("that is no UTF-8 is refused", () => {
    expect(() => decodeEnvelope(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(MalformedEvidence);
  });
});
