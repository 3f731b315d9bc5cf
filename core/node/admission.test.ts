import { describe, expect, it } from "vitest";
import type { Assignment } from "../icl/schema.ts";
import { admit, type Capacity } from "./admission.ts";

const T0 = 1_800_000_000_000;

const OFFER: Assignment = {
  jobId: "job-1",
  role: "leader",
  modelId: "mock:demo",
  promptCid: "bafkreif5r4yzqfj75h4gvrvdbaxh24iio2ab25jykfmdekhqyluhkjc64i",
  deadline: T0 / 1000 + 600,
  insuranceOptIn: false,
  userAddress: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
  kpHighHandle: 0n,
  kpLowHandle: 0n,
};

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
