/** An offer as a coordinator sends it, for tests. */
import type { Assignment, Role } from "../icl/schema.ts";

/** The moment at which the tests' time begins, ms. */
export const SAMPLE_MS = 1_800_000_000_000;
export const SAMPLE_NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

/** Made at `nowMs`, with the ten minutes that a coordinator gives. */
export function sampleOffer(role: Role, nowMs: number = SAMPLE_MS): Assignment {
  return {
    jobId: "job-1",
    role,
    modelId: "mock:demo",
    promptCid: "bafkreif5r4yzqfj75h4gvrvdbaxh24iio2ab25jykfmdekhqyluhkjc64i",
    deadline: Math.floor(nowMs / 1000) + 600,
    insuranceOptIn: false,
    userAddress: SAMPLE_NODE,
    kpHighHandle: 0n,
    kpLowHandle: 0n,
  };
}
