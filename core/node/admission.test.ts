import { describe, expect, it } from "vitest";
import type { Assignment } from "../icl/schema.ts";
import { SAMPLE_MS, sampleOffer } from "../jobs/sample-offer.ts";
import { admit, type Capacity } from "./admission.ts";

const T0 = SAMPLE_MS;

const OFFER = sampleOffer("leader");

const READY: Capacity = {
  paused: false,
  draining: false,
  freeSlots: 1,
  roles: ["leader", "verifier"],
  servesModel: (model) => model === "mock:demo",
  canEncryptOutputKey: true,
  canPayGas: true,
};

describe("admission", () => {
  it("takes an offer that the node can serve", () => {
    expect(admit(OFFER, READY, T0).ok).toBe(true);
  });

  it.each<[string, Partial<Assignment>, Partial<Capacity>]>([
    ["paused", {}, { paused: true }],
    ["draining", {}, { draining: true }],
    ["role", {}, { roles: ["verifier"] }],
    ["model", { modelId: "groq:llama" }, {}],
    ["no-time", { deadline: T0 / 1000 + 45 }, {}],
    ["bad-cid", { promptCid: "../../etc/passwd" }, {}],
    ["output-key", {}, { canEncryptOutputKey: false }],
    ["gas", {}, { canPayGas: false }],
    ["no-slot", {}, { freeSlots: 0 }],
  ])("leaves an offer alone because of %s", (reason, offer, capacity) => {
    expect(admit({ ...OFFER, ...offer }, { ...READY, ...capacity }, T0)).toMatchObject({
      ok: false,
      refusal: { reason },
    });
  });

  it.each<[string, Partial<Capacity>]>([
    ["encrypt an output key", { canEncryptOutputKey: false }],
    ["pay gas", { canPayGas: false }],
  ])("takes a verifier's offer although the node cannot %s", (_what, capacity) => {
    expect(admit({ ...OFFER, role: "verifier" }, { ...READY, ...capacity }, T0).ok).toBe(true);
  });

  it("takes a leader's offer while the balance is not known yet", () => {
    expect(admit(OFFER, { ...READY, canPayGas: null }, T0).ok).toBe(true);
  });
});
