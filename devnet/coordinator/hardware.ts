/**
 * Verifiers of hardware quotes (core/attestation/verify.ts), and the extension by which a TPM shows that its attestation key
 * is its own. The devnet knows no maker's certificates: it takes any TPM whose key was activated for tier 1, a software TPM
 * as well, and gives SEV-SNP and TDX reports that are bound as they must be tier 0. A real coordinator asks the makers.
 */
import type { Activations } from "../../core/attestation/activation.ts";
import type { HardwareBackend } from "../../core/attestation/attester.ts";
import { type HardwareTrust, verifyEnvelope } from "../../core/attestation/verify.ts";
import { ok, refuse } from "../../core/result.ts";
import type { QuoteVerifier, QuoteVerifiers } from "./attestation.ts";

const BACKENDS: readonly HardwareBackend[] = ["tpm", "sev", "tdx"];

export function hardwareVerifiers(chainId: number, activations: Activations): QuoteVerifiers {
  return new Map(BACKENDS.map((backend) => [backend, verifierOf(backend, chainId, activations)]));
}

function verifierOf(backend: HardwareBackend, chainId: number, activations: Activations): QuoteVerifier {
  return async ({ node, nonce, quote, runtimeHash, models }) => {
    const trusts: HardwareTrust = async (facts) =>
      facts.backend === "tpm" && (await activations.isActivated(node, facts.tpm.ekPublic, facts.tpm.akName));
    const verified = await verifyEnvelope(quote, { backend, chainId, node, runtimeHash, models, nonce }, trusts);
    return verified.ok ? ok({ tier: verified.value.tier }) : refuse(`the quote: ${verified.refusal.message}`);
  };
}
