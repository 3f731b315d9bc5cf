/** The host, node and challenge of the TPM tests. */
import type { Expectation } from "../../core/attestation/verify.ts";
import type { HostClaims } from "../../sidecar/attestation/host-claims.ts";

export const HOST: HostClaims = {
  chainId: 421_614,
  runtimeHash: "5a".repeat(32),
  sidecarKey: new Uint8Array(32).fill(7),
};
export const NODE = "0x52908400098527886E0F7030069857D2E4169EE7";
export const MODELS: readonly string[] = ["facebook/opt-125m", "groq:llama-3.1-8b-instant"];
export const BINDING = { node: NODE, challengeId: "c1", models: MODELS };
export const NONCE: Uint8Array<ArrayBuffer> = Uint8Array.from({ length: 32 }, (_, at) => at);

export const EXPECTED: Expectation = {
  backend: "tpm",
  chainId: HOST.chainId,
  node: NODE,
  runtimeHash: HOST.runtimeHash,
  models: MODELS,
  nonce: NONCE,
};
