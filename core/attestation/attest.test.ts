import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { AttestationEvidence } from "../icl/client.ts";
import { systemClock } from "../ports.ts";
import { attest, needsRenewal } from "./attest.ts";
import { createMockAttester, MOCK_RUNTIME_HASH } from "./mock.ts";

const NOW_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const clock = { ...systemClock, now: () => NOW_MS };
/** The network's quote of the nonce 00 (test vectors). */
const QUOTE_OF_00 = "510ce96bdd335041aab6f92b00a78c1665ad483b2561078937533ffeb0d2d49e";

function coordinator(nonce: string, tier: number, refusal?: NodeError) {
  const shown: AttestationEvidence[] = [];
  const icl = {
    challenge: async () => ({ challengeId: "c1", nonce }),
    verifyAttestation: async (evidence: AttestationEvidence) => {
      if (refusal !== undefined) throw refusal;
      shown.push(evidence);
      return { certHash: "0x11", expiry: 1_700_086_400, tier };
    },
  };
  return { icl, shown };
}

const parts = { attester: createMockAttester(), node: "0xNode", models: ["mock:a"], tier: 2, clock };

describe("attesting", () => {
  it.each(["0x00", "00"])("answers the nonce %s with its quote and the models to serve", async (nonce) => {
    const { icl, shown } = coordinator(nonce, 0);
    expect(await attest({ ...parts, icl })).toEqual({
      certHash: "0x11",
      expirySec: 1_700_086_400,
      tier: 0,
      attestedAt: NOW_MS,
    });
    expect(shown).toEqual([
      {
        backendType: "mock",
        quote: QUOTE_OF_00,
        runtimeHash: MOCK_RUNTIME_HASH,
        challengeId: "c1",
        supportedModelIds: ["mock:a"],
      },
    ]);
  });

  it.each([
    [2, 0, 0],
    [0, 2, 0],
    [1, 2, 1],
    [2, 2, 2],
  ])("with tier %i configured and %i granted gives tier %i", async (tier, granted, expected) => {
    const { icl } = coordinator("00", granted);
    expect((await attest({ ...parts, icl, tier })).tier).toBe(expected);
  });

  it.each([
    ["icl-refused", "attestation-refused"],
    ["icl-unreachable", "icl-unreachable"],
    ["icl-unknown-node", "icl-unknown-node"],
  ] as const)("that fails with %s fails with %s", async (code, expected) => {
    const refusal = new NodeError(code, "attestation: answered 4xx", { retry: "later", hint: "h" });
    const { icl } = coordinator("00", 0, refusal);
    await expect(attest({ ...parts, icl })).rejects.toMatchObject({ code: expected, message: refusal.message });
  });
});

describe("a certificate", () => {
  it.each([
    ["without one", null, true],
    ["with 6 h left to the millisecond", 6 * HOUR_MS, false],
    ["with a second less", 6 * HOUR_MS - 1000, true],
    ["once expired", -HOUR_MS, true],
    ["when fresh", 24 * HOUR_MS, false],
  ])("%s needs renewal: %j ms left, %j", (_name, leftMs, expected) => {
    const certificate = leftMs === null ? null : { expirySec: (NOW_MS + leftMs) / 1000 };
    expect(needsRenewal(certificate, NOW_MS)).toBe(expected);
  });
});
