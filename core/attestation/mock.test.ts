import { bytesToHex, hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { Secret } from "../secret.ts";
import { createMockAttester, MOCK_RUNTIME_HASH, mockQuote } from "./mock.ts";

const { attestation } = vectors;
const nonceOf = (hex: string) => Uint8Array.from(hexToBytes(`0x${hex}`));

describe("the mock attestation", () => {
  it.each(attestation.quotes)("quotes the nonce '$nonce' as the network does", async ({ nonce, quote }) => {
    expect(bytesToHex(await mockQuote(nonceOf(nonce)))).toBe(`0x${quote}`);
    const binding = { node: "0x", challengeId: "c" };
    expect(await createMockAttester().quote(nonceOf(nonce), binding)).toEqual({
      quote,
      runtimeHash: attestation.runtime_hash,
    });
  });

  it("names the network's backend and runtime", () => {
    expect(createMockAttester().backendType).toBe(attestation.backend_type);
    expect(MOCK_RUNTIME_HASH).toBe(attestation.runtime_hash);
  });

  it("quotes under another key where the operator gave one", async () => {
    const nonce = nonceOf("00");
    const { quote } = await createMockAttester(new Secret("another")).quote(nonce, { node: "0x", challengeId: "c" });
    expect(quote).toBe(bytesToHex(await mockQuote(nonce, "another")).slice(2));
    expect(quote).not.toBe(bytesToHex(await mockQuote(nonce)).slice(2));
  });
});
