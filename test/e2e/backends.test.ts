import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelSettings } from "../../devnet/network.ts";
import { type Rig, startRig } from "./rig.ts";

const MODELS = ["groq:llama-3.3-70b-versatile", "gemini:gemini-2.5-flash", "facebook/opt-125m"];

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({
    models: MODELS,
    verifiers: "late",
    env: (network) => ({
      ...modelSettings(network, "groq"),
      ...modelSettings(network, "gemini"),
      ...modelSettings(network, "openai"),
    }),
  });
});

afterAll(() => rig.stop());

describe("with verifiers offered the job only after the leader's result", () => {
  it.each(MODELS)("%s serves a leader and two verifiers that agree", async (model) => {
    const result = await rig.ask(model, `What is two and two, ${model}?`);
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    expect(result.answer?.length).toBeGreaterThan(10);
  });

  it("rotates the leader, so that every node led and verified", () => {
    const leaders = new Set(rig.network.coordinator.stats().jobs.map((job) => job.leader_address));
    expect(leaders.size).toBe(3);
  });
});
