import { describe, expect, it } from "vitest";
import type { Assignment } from "../icl/schema.ts";
import { SAMPLE_MS, sampleOffer } from "../jobs/sample-offer.ts";
import { admit, type Capacity } from "./admission.ts";
import { hold } from "./holds.ts";

const T0 = SAMPLE_MS;

const OFFER = sampleOffer("leader");

const READY: Capacity = {
  holds: [],
  onProbation: false,
  unfinishedJobs: 0,
  draining: false,
  freeSlots: 1,
  roles: ["leader", "verifier"],
  servesModel: (model) => model === "mock:demo",
  canEncryptOutputKey: true,
  brokenDependency: () => null,
};

describe("admission", () => {
  it("takes an offer that the node can serve", () => {
    expect(admit(OFFER, READY, T0).ok).toBe(true);
  });

  it.each<[string, Partial<Assignment>, Partial<Capacity>]>([
    ["paused", {}, { holds: [hold("failures")] }],
    ["probation", {}, { onProbation: true, unfinishedJobs: 1 }],
    ["dependency", {}, { brokenDependency: () => "ipfs" }],
    ["draining", {}, { draining: true }],
    ["role", {}, { roles: ["verifier"] }],
    ["model", { modelId: "groq:llama" }, {}],
    ["no-time", { deadline: T0 / 1000 + 45 }, {}],
    ["bad-cid", { promptCid: "../../etc/passwd" }, {}],
    ["output-key", {}, { canEncryptOutputKey: false }],
    ["leader-held", {}, { holds: [hold("gas")] }],
    ["no-slot", {}, { freeSlots: 0 }],
  ])("leaves an offer alone because of %s", (reason, offer, capacity) => {
    expect(admit({ ...OFFER, ...offer }, { ...READY, ...capacity }, T0)).toMatchObject({
      ok: false,
      refusal: { reason },
    });
  });

  it.each<[string, Partial<Capacity>]>([
    ["encrypt an output key", { canEncryptOutputKey: false }],
    ["pay gas", { holds: [hold("gas")] }],
    ["send a transaction", { holds: [hold("transactions")] }],
    ["reach what only leaders need", { brokenDependency: (role) => (role === "leader" ? "pin" : null) }],
  ])("takes a verifier's offer although the node cannot %s", (_what, capacity) => {
    expect(admit(OFFER, { ...READY, ...capacity }, T0).ok).toBe(false);
    expect(admit({ ...OFFER, role: "verifier" }, { ...READY, ...capacity }, T0).ok).toBe(true);
  });

  it("takes one job on probation while there is no other", () => {
    expect(admit(OFFER, { ...READY, onProbation: true }, T0).ok).toBe(true);
  });

  it("says which hold it was, and why", () => {
    const refused = admit(OFFER, { ...READY, holds: [hold("second-copy", "heard twice")] }, T0);
    expect(refused).toMatchObject({ refusal: { message: "the node is paused (second-copy): heard twice" } });
  });
});
