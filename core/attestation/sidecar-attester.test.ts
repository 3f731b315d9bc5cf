import { expect, it } from "vitest";
import type { AttestRequest } from "../sidecar/wire.ts";
import { createSidecarAttester } from "./sidecar-attester.ts";

const asked: AttestRequest[] = [];
const client = {
  async attest(request: AttestRequest) {
    asked.push(request);
    return { backendType: "tpm" as const, quote: "aa", runtimeHash: "bb".repeat(32) };
  },
};

it("has the sidecar quote the nonce for this node, challenge and models", async () => {
  const nonce = new Uint8Array([1, 2]);
  const evidence = await createSidecarAttester(client, "tpm").quote(nonce, {
    node: "0xNode",
    challengeId: "c1",
    models: ["mock:a"],
  });
  expect(evidence).toEqual({ quote: "aa", runtimeHash: "bb".repeat(32) });
  expect(asked).toEqual([{ node: "0xNode", challengeId: "c1", nonce, modelIds: ["mock:a"] }]);
});

it("shows no quote of another kind than the settings name", async () => {
  const attester = createSidecarAttester(client, "sev");
  await expect(attester.quote(new Uint8Array([1]), { node: "0xNode", challengeId: "c1" })).rejects.toMatchObject({
    code: "settings",
    message: expect.stringContaining("tpm"),
  });
});
