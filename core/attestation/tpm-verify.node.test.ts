import { hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import { BOOT_EVENTS } from "../../test/swtpm/boot.ts";
import { EXPECTED, NONCE } from "../../test/swtpm/claims.ts";
import recorded from "../../test/swtpm/recorded.json" with { type: "json" };
import { reportData, tpmQualifyingData } from "./binding.ts";
import { type Bytes, concat, u16 } from "./bytes.ts";
import { decodeEnvelope, type TpmEvidence } from "./envelope.ts";
import { ALG, ATTRIBUTE, nameOf, parseAttest, parsePublic, qualifiedNameUnder } from "./tpm-structures.ts";
import { QUOTED_PCRS, RUNTIME_PCR, type TpmExpectation, verifyTpmQuote } from "./tpm-verify.ts";

const { claims, evidence } = decodeEnvelope(hexToBytes(`0x${recorded.quote}`));
if (evidence.backend !== "tpm") throw new Error("the recorded envelope is not a TPM's");
const GOOD: TpmEvidence = evidence.tpm;
const EXPECT: TpmExpectation = {
  qualifyingData: await tpmQualifyingData(await reportData(claims, NONCE)),
  pcrs: QUOTED_PCRS,
  runtimeHash: EXPECTED.runtimeHash,
};

async function refusalOf(changed: Partial<TpmEvidence>, expected: Partial<TpmExpectation> = {}) {
  const verified = await verifyTpmQuote({ ...GOOD, ...changed }, { ...EXPECT, ...expected });
  return verified.ok ? "accepted" : verified.refusal.code;
}

function flipped(bytes: Bytes, bit: number): Bytes {
  return bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** The verdicts over every flipped bit. */
async function verdicts(part: "attest" | "signature" | "akPublic" | "ekPublic"): Promise<Set<string>> {
  const bits = Array.from({ length: GOOD[part].length * 8 }, (_, bit) => bit);
  return new Set(await Promise.all(bits.map((bit) => refusalOf({ [part]: flipped(GOOD[part], bit) }))));
}

/** A software key that claims to be an attestation key, and quotes signed by it. */
async function forger(attributes: number) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const area = GOOD.akPublic.slice();
  new DataView(area.buffer).setUint32(4, attributes);
  area.set(point.slice(1, 33), area.length - 66);
  area.set(point.slice(33), area.length - 32);
  const sign = async (attest: Bytes) => {
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const signed = new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, attest));
    const [r, s] = [signed.slice(0, 32), signed.slice(32)];
    return concat(u16(ALG.ECDSA), u16(ALG.SHA256), u16(32), r, u16(32), s);
  };
  const signer = await qualifiedNameUnder(parsePublic(GOOD.ekPublic), parsePublic(area));
  const attest = GOOD.attest.slice();
  attest.set(signer, 8);
  return { akPublic: area, attest, signature: await sign(attest), sign };
}

const AK_ATTRIBUTES =
  ATTRIBUTE.fixedTpm | ATTRIBUTE.fixedParent | ATTRIBUTE.sensitiveDataOrigin | ATTRIBUTE.restricted | ATTRIBUTE.sign;

describe("a TPM's quote", () => {
  it("is accepted as the TPM gave it, with what it proves", async () => {
    const verified = await verifyTpmQuote(GOOD, EXPECT);
    if (!verified.ok) throw new Error(verified.refusal.message);
    const { quote, akName, runtime, eventLog } = verified.value;
    expect(quote.pcrs).toEqual(QUOTED_PCRS);
    expect(akName).toEqual(await nameOf(parsePublic(GOOD.akPublic)));
    expect(runtime).toBe("measured");
    expect(eventLog?.events).toHaveLength(BOOT_EVENTS.length);
  });

  it("is accepted without an event log, of which it then says nothing", async () => {
    const verified = await verifyTpmQuote({ ...GOOD, eventLog: null }, EXPECT);
    expect(verified).toMatchObject({ ok: true, value: { eventLog: null } });
  });

  it("says that another runtime was measured, or something besides", async () => {
    const verified = await verifyTpmQuote(GOOD, { ...EXPECT, runtimeHash: "00".repeat(32) });
    expect(verified).toMatchObject({ ok: true, value: { runtime: "other" } });
  });

  it("is refused with any one bit of what was signed changed", async () => {
    expect(await verdicts("attest")).toEqual(new Set(["malformed", "signature"]));
  });

  it("is refused with any one bit of the signature changed", async () => {
    expect(await verdicts("signature")).toEqual(new Set(["malformed", "signature"]));
  });

  it("is refused with any one bit of the attestation key changed", async () => {
    expect(await verdicts("akPublic")).toEqual(new Set(["malformed", "key"]));
  });

  it("is refused with any one bit of the endorsement key changed", async () => {
    expect(await verdicts("ekPublic")).toEqual(new Set(["malformed", "key"]));
  });

  it("is refused with any one bit of a PCR's value changed", async () => {
    for (const [pcr, value] of GOOD.pcrs) {
      for (let bit = 0; bit < value.length * 8; bit++) {
        const pcrs = new Map(GOOD.pcrs).set(pcr, flipped(value, bit));
        expect(await refusalOf({ pcrs, eventLog: null })).toBe("pcrs");
      }
    }
  });

  it.each(["attest", "signature", "akPublic", "ekPublic"] as const)("is refused with its %s cut", async (part) => {
    const codes = GOOD[part].map((_, length) => length);
    const refusals = await Promise.all([...codes].map((length) => refusalOf({ [part]: GOOD[part].slice(0, length) })));
    expect(new Set(refusals)).toEqual(new Set(["malformed"]));
  });

  it.each(["attest", "signature", "akPublic", "ekPublic"] as const)(
    "is refused with a byte after its %s",
    async (part) => {
      expect(await refusalOf({ [part]: concat(GOOD[part], Uint8Array.of(0)) })).toBe("malformed");
    },
  );

  it("is refused for another challenge", async () => {
    const qualifyingData = await tpmQualifyingData(await reportData(claims, new Uint8Array(32)));
    expect(await refusalOf({}, { qualifyingData })).toBe("binding");
  });

  it.each([
    ["fewer PCRs", QUOTED_PCRS.slice(1)],
    ["more PCRs", [...QUOTED_PCRS, 16]],
    ["other PCRs", [...QUOTED_PCRS.slice(0, -1), 14]],
  ])("is refused where %s are asked for", async (_name, pcrs) => {
    expect(await refusalOf({}, { pcrs })).toBe("pcrs");
  });

  it("is refused where a PCR's value is stated under another's number", async () => {
    const pcrs = [...QUOTED_PCRS.slice(0, -1), 14];
    const values = new Map([...GOOD.pcrs].map(([pcr, value]) => [pcr === RUNTIME_PCR ? 14 : pcr, value]));
    expect(await refusalOf({ pcrs: values }, { pcrs })).toBe("pcrs");
  });

  it("is refused where a PCR's value is missing or one too many is stated", async () => {
    const fewer = new Map(GOOD.pcrs);
    fewer.delete(3);
    expect(await refusalOf({ pcrs: fewer })).toBe("pcrs");
    expect(await refusalOf({ pcrs: new Map(GOOD.pcrs).set(16, new Uint8Array(32)) })).toBe("pcrs");
  });

  it("is refused where two PCRs' values are exchanged", async () => {
    const pcrs = new Map(GOOD.pcrs);
    pcrs.set(0, GOOD.pcrs.get(4) ?? new Uint8Array()).set(4, GOOD.pcrs.get(0) ?? new Uint8Array());
    expect(await refusalOf({ pcrs, eventLog: null })).toBe("pcrs");
  });

  it("is refused with an event log that leads elsewhere", async () => {
    const at = GOOD.eventLog?.findLastIndex(
      (_, index, log) => String.fromCharCode(...log.slice(index, index + 4)) === "Secu",
    );
    const digestAt = (at ?? 0) - 4 - 32;
    const eventLog = flipped(GOOD.eventLog ?? new Uint8Array(), digestAt * 8);
    expect(await refusalOf({ eventLog })).toBe("event-log");
  });

  it("is refused with an event log that is none", async () => {
    expect(await refusalOf({ eventLog: Uint8Array.of(1, 2, 3) })).toBe("malformed");
  });
});

describe("a quote made in software", () => {
  it("is accepted when all of it is made up: only the activation of its key tells", async () => {
    const { akPublic, attest, signature } = await forger(AK_ATTRIBUTES);
    expect(await refusalOf({ akPublic, attest, signature })).toBe("accepted");
  });

  it("is refused under the TPM's own key", async () => {
    const { attest, signature } = await forger(AK_ATTRIBUTES);
    expect(await refusalOf({ attest, signature })).toBe("signature");
  });

  it("is refused where it names another key than it shows", async () => {
    const { akPublic, sign } = await forger(AK_ATTRIBUTES);
    expect(await refusalOf({ akPublic, signature: await sign(GOOD.attest) })).toBe("key");
  });

  it.each([
    ["fixed to its TPM", ATTRIBUTE.fixedTpm],
    ["fixed to its parent", ATTRIBUTE.fixedParent],
    ["made in its TPM", ATTRIBUTE.sensitiveDataOrigin],
    ["restricted", ATTRIBUTE.restricted],
    ["for signing", ATTRIBUTE.sign],
  ])("is refused where its key is not %s", async (_name, attribute) => {
    const { akPublic, attest, signature } = await forger(AK_ATTRIBUTES & ~attribute);
    expect(await refusalOf({ akPublic, attest, signature })).toBe("key");
  });

  it("is refused where its key decrypts, too", async () => {
    const { akPublic, attest, signature } = await forger(AK_ATTRIBUTES | ATTRIBUTE.decrypt);
    expect(await refusalOf({ akPublic, attest, signature })).toBe("key");
  });

  it.each<[string, number, number]>([
    ["another magic", 0, 0x00],
    ["the type of a certified key", 5, 0x17],
    ["the type of a certified time", 5, 0x19],
  ])("is refused with %s, signed as it is", async (_name, at, byte) => {
    const { akPublic, attest, sign } = await forger(AK_ATTRIBUTES);
    attest[at] = byte;
    expect(await refusalOf({ akPublic, attest, signature: await sign(attest) })).toBe("malformed");
  });

  it("is refused where its key is a point off the curve", async () => {
    const { akPublic } = await forger(AK_ATTRIBUTES);
    akPublic[akPublic.length - 1] = (akPublic[akPublic.length - 1] ?? 0) ^ 1;
    const attest = GOOD.attest.slice();
    attest.set(await qualifiedNameUnder(parsePublic(GOOD.ekPublic), parsePublic(akPublic)), 8);
    expect(await refusalOf({ akPublic, attest })).toBe("key");
  });
});

describe("the TPM's structures", () => {
  it("read as the TPM wrote them", () => {
    expect(parseAttest(GOOD.attest)).toMatchObject({ pcrs: QUOTED_PCRS, restartCount: 0 });
    expect(parsePublic(GOOD.akPublic)).toMatchObject({ kind: "p256", wrapBits: null });
    expect(parsePublic(GOOD.ekPublic)).toMatchObject({ kind: "rsa", exponent: 65_537, wrapBits: 128 });
  });
});
