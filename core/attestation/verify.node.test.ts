import { hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import { EXPECTED, HOST, MODELS, NODE, NONCE } from "../../test/swtpm/claims.ts";
import recorded from "../../test/swtpm/recorded.json" with { type: "json" };
import { makeSnpReport, makeTdxQuote } from "../../test/swtpm/reports.ts";
import { type AttestedClaims, reportData } from "./binding.ts";
import type { Bytes } from "./bytes.ts";
import { encodeEnvelope } from "./envelope.ts";
import { type Expectation, type HardwareTrust, verifyEnvelope } from "./verify.ts";

const CLAIMS: AttestedClaims = {
  chainId: HOST.chainId,
  node: NODE,
  runtimeHash: HOST.runtimeHash,
  models: MODELS,
  sidecarKey: HOST.sidecarKey,
  hpkeKey: new Uint8Array(),
  gpuEvidenceHash: new Uint8Array(),
};
const DATA = await reportData(CLAIMS, NONCE);
const trusting: HardwareTrust = async () => true;
const distrusting: HardwareTrust = async () => false;

function reportQuote(backend: "sev" | "tdx", report: Bytes, claims = CLAIMS): Uint8Array {
  return hexToBytes(`0x${encodeEnvelope({ claims, evidence: { backend, report: { report, certificates: null } } })}`);
}

const QUOTES = {
  tpm: hexToBytes(`0x${recorded.quote}`),
  sev: reportQuote("sev", makeSnpReport({ reportData: DATA })),
  tdx: reportQuote("tdx", await makeTdxQuote({ reportData: DATA })),
};
const TIERS = { tpm: 1, sev: 2, tdx: 2 } as const;
const BACKENDS = ["tpm", "sev", "tdx"] as const;

async function verdict(quote: Uint8Array, expected: Partial<Expectation>) {
  const verified = await verifyEnvelope(quote, { ...EXPECTED, ...expected }, trusting);
  return verified.ok ? "accepted" : verified.refusal.code;
}

describe.each(BACKENDS)("an envelope of %s", (backend) => {
  const quote = QUOTES[backend];

  it("proves its tier to whoever trusts its root, and tier 0 to whoever does not", async () => {
    const trusted = await verifyEnvelope(quote, { ...EXPECTED, backend }, trusting);
    expect(trusted).toMatchObject({ ok: true, value: { tier: TIERS[backend], facts: { backend, claims: CLAIMS } } });
    const distrusted = await verifyEnvelope(quote, { ...EXPECTED, backend }, distrusting);
    expect(distrusted).toMatchObject({ ok: true, value: { tier: 0 } });
  });

  it("is taken for the node whatever the case of its address", async () => {
    expect(await verdict(quote, { backend, node: NODE.toLowerCase() })).toBe("accepted");
  });

  it.each<[string, Partial<Expectation>, string]>([
    ["another challenge", { nonce: new Uint8Array(32) }, "binding"],
    ["another node", { node: `0x${"11".repeat(20)}` }, "claims"],
    ["another chain", { chainId: 1 }, "claims"],
    ["another runtime", { runtimeHash: "00".repeat(32) }, "claims"],
    ["other models", { models: [] }, "claims"],
    ["a model more", { models: [...MODELS, "x"] }, "claims"],
    ["the models in another order", { models: MODELS.toReversed() }, "claims"],
  ])("is refused for %s", async (_name, expected, code) => {
    expect(await verdict(quote, { backend, ...expected })).toBe(code);
  });

  it.each(BACKENDS.filter((other) => other !== backend))("is refused as one of %s", async (other) => {
    expect(await verdict(quote, { backend: other })).toBe("claims");
  });

  it("is refused with another key in its claims", async () => {
    const text = new TextDecoder().decode(quote);
    const changed = text.replace(/"sidecarKey":"[^"]+"/, `"sidecarKey":"${btoa("x".repeat(32))}"`);
    expect(changed).not.toBe(text);
    expect(await verdict(new TextEncoder().encode(changed), { backend })).toBe("binding");
  });

  it("is refused when it is cut", async () => {
    expect(await verdict(quote.slice(0, -1), { backend })).toBe("malformed");
  });
});

describe("a report", () => {
  it("of a guest that may be debugged is refused", async () => {
    const sev = makeSnpReport({ reportData: DATA, policy: 0xb0000n });
    expect(await verdict(reportQuote("sev", sev), { backend: "sev" })).toBe("debug");
    const tdx = await makeTdxQuote({ reportData: DATA, tdAttributes: 1n });
    expect(await verdict(reportQuote("tdx", tdx), { backend: "tdx" })).toBe("debug");
  });

  it("of TDX that its own key did not sign is refused", async () => {
    const tdx = (await makeTdxQuote({ reportData: DATA })).map((byte, at) => (at === 60 ? byte ^ 1 : byte));
    expect(await verdict(reportQuote("tdx", tdx), { backend: "tdx" })).toBe("signature");
  });

  it("is no TPM's, and the other way round", async () => {
    expect(await verdict(reportQuote("sev", Uint8Array.of(1)), { backend: "sev" })).toBe("malformed");
    expect(await verdict(reportQuote("tdx", makeSnpReport({ reportData: DATA })), { backend: "tdx" })).toBe(
      "malformed",
    );
  });
});
