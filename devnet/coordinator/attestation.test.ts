import type { Hex } from "viem";
import { describe, expect, it } from "vitest";
import { ok, refuse } from "../../core/result.ts";
import type { BackendType, QuoteVerifier } from "./attestation.ts";
import { createRig, evidence, MODEL, NOW_SEC } from "./test-rig.ts";

async function challenged(options = {}) {
  const rig = createRig(options);
  const node = rig.node(0);
  const challenge = (await node.challenge()).json;
  const body = await evidence(node.address, String(challenge.challengeId), challenge.nonce as Hex);
  return {
    ...rig,
    rig,
    node,
    challenge,
    body,
    verify: (more: object) => node.call("/internal/attestation/verify", { ...body, ...more }),
  };
}

describe("attestation", () => {
  it("gives a certificate for a mock quote over its own nonce, of tier 0 and for 24 h", async () => {
    const { challenge, verify, coordinator, node } = await challenged();
    expect(challenge.nonce).toMatch(/^0x[0-9a-f]{64}$/);
    expect(challenge.expiresAt).toBe(NOW_SEC + 120);
    const answer = await verify({});
    expect(answer).toMatchObject({ status: 200, json: { expiry: NOW_SEC + 86_400, tier: 0 } });
    expect(answer.json.certHash).toMatch(/^0x[0-9a-f]{32}$/);
    expect(coordinator.stats().nodes).toMatchObject([{ address: node.address, models: [MODEL], live: true }]);
  });

  it("can leave the 0x off the nonce", async () => {
    const { challenge, verify } = await challenged({ bareNonce: true });
    expect(challenge.nonce).toMatch(/^[0-9a-f]{64}$/);
    expect((await verify({})).status).toBe(200);
  });

  const faults: { name: string; more: object; detail: RegExp }[] = [
    { name: "a quote over another nonce", more: { quote: "00".repeat(32) }, detail: /HMAC/ },
    { name: "a quote with 0x", more: { quote: `0x${"00".repeat(32)}` }, detail: /quote/ },
    { name: "a runtime hash of its own", more: { runtimeHash: "11".repeat(32) }, detail: /runtimeHash/ },
    { name: "a runtime hash with 0x", more: { runtimeHash: `0x${"11".repeat(32)}` }, detail: /runtimeHash/ },
    { name: "a challenge that was never given", more: { challengeId: "ff" }, detail: /challenge/ },
    { name: "a mock's quote as a TPM's", more: { backendType: "tpm" }, detail: /the quote: / },
    { name: "a backend that is none", more: { backendType: "sgx" }, detail: /backendType/ },
    { name: "models that are no list", more: { supportedModelIds: MODEL }, detail: /supportedModelIds/ },
    { name: "fields of another protocol", more: { callback: "http://127.0.0.1" }, detail: /callback/ },
  ];
  it.each(faults)("refuses $name, and the node stays unknown", async ({ more, detail }) => {
    const { verify, coordinator } = await challenged();
    const answer = await verify(more);
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toMatch(detail);
    expect(coordinator.stats().nodes).toEqual([]);
  });

  it("takes a challenge once, a failed attempt counting as one", async () => {
    const { verify } = await challenged();
    expect((await verify({ quote: "00".repeat(32) })).status).toBe(400);
    expect(await verify({})).toMatchObject({ status: 400, json: { detail: expect.stringContaining("used") } });
  });

  it("refuses a replayed challenge after it succeeded", async () => {
    const { verify } = await challenged();
    expect((await verify({})).status).toBe(200);
    expect((await verify({})).status).toBe(400);
  });

  it("refuses another node's challenge, and leaves it to that node", async () => {
    const { verify, body, node: owner, rig } = await challenged();
    const thief = rig.node(1);
    const stolen = await thief.call("/internal/attestation/verify", { ...body, nodeAddress: thief.address });
    expect(stolen.status).toBe(400);
    expect((await verify({})).status).toBe(200);
    expect(rig.coordinator.stats().nodes).toMatchObject([{ address: owner.address }]);
  });

  it.each([
    [119, 200],
    [120, 400],
  ])("%i s after the challenge the answer is %i", async (seconds, status) => {
    const { verify, clock } = await challenged();
    clock.advanceSec(seconds);
    expect((await verify({})).status).toBe(status);
  });

  it("uses the key it was given for the mock", async () => {
    const { verify } = await challenged({ mockAttestationKey: "another" });
    expect((await verify({})).json.detail).toMatch(/HMAC/);
  });

  it("takes further backends' verifiers, whose tier and refusal count", async () => {
    const quoteVerifiers = new Map<BackendType, QuoteVerifier>([
      ["tpm", async () => ok({ tier: 1 })],
      ["sev", async () => refuse("the report is not signed")],
    ]);
    const accepted = await challenged({ quoteVerifiers });
    expect((await accepted.verify({ backendType: "tpm" })).json).toMatchObject({ tier: 1 });
    const refused = await challenged({ quoteVerifiers });
    expect((await refused.verify({ backendType: "sev" })).json.detail).toBe("the report is not signed");
  });

  it("no longer knows a node whose certificate has run out", async () => {
    const { verify, clock, node, send } = await challenged({ certificateSec: 3_600 });
    await verify({});
    clock.advanceSec(3_599);
    expect((await node.heartbeat()).status).toBe(200);
    clock.advanceSec(1);
    expect((await node.heartbeat()).status).toBe(401);
    expect((await send(`/v1/nodes/${node.address}`)).json).toMatchObject({ active: false });
  });
});
