/** What of the claims (core/attestation/binding.ts) is this machine's own, and the same for every quote. */
import type { QuoteBinding } from "../../core/attestation/attester.ts";
import type { AttestedClaims } from "../../core/attestation/binding.ts";

export interface HostClaims {
  chainId: number;
  /** 64 hex digits, of the code that runs (runtime-hash.ts). */
  runtimeHash: string;
  /** The Ed25519 key that signs this sidecar's responses, 32 bytes. */
  sidecarKey: Uint8Array;
  /** X25519, 32 bytes; absent where prompts are not sealed to the sidecar. */
  hpkeKey?: Uint8Array;
  /** SHA-256; absent without evidence of the GPU's own. */
  gpuEvidenceHash?: Uint8Array;
}

export function claimsFor(host: HostClaims, { node, models = [] }: QuoteBinding): AttestedClaims {
  return {
    chainId: host.chainId,
    node,
    runtimeHash: host.runtimeHash,
    models,
    sidecarKey: host.sidecarKey,
    hpkeKey: host.hpkeKey ?? new Uint8Array(),
    gpuEvidenceHash: host.gpuEvidenceHash ?? new Uint8Array(),
  };
}
