/** Quotes made by the sidecar, on the machine whose hardware they speak of. */
import { NodeError } from "../errors.ts";
import type { SidecarClient } from "../sidecar/client.ts";
import type { AttestationBackend, Attester } from "./attester.ts";

/** @param backendType as the node's settings name it; a sidecar that attests otherwise is refused. */
export function createSidecarAttester(
  client: Pick<SidecarClient, "attest">,
  backendType: AttestationBackend,
): Attester {
  return {
    backendType,
    async quote(nonce, { node, challengeId, models = [] }) {
      const evidence = await client.attest({ node, challengeId, nonce, modelIds: [...models] });
      if (evidence.backendType === backendType) return { quote: evidence.quote, runtimeHash: evidence.runtimeHash };
      throw new NodeError("settings", `the sidecar attests as ${evidence.backendType}, the node as ${backendType}`, {
        retry: "later",
        hint: "Set BLF_ATTESTATION_BACKEND to the same on both sides.",
      });
    },
  };
}
