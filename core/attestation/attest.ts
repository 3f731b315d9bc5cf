/**
 * One attestation: challenge, quote, verify, certificate (protocol §2). It retries nothing and keeps nothing. The tier it
 * reports is never higher than the one configured nor than the coordinator's.
 */
import { hexToBytes } from "viem/utils";
import { NodeError } from "../errors.ts";
import type { IclClient } from "../icl/client.ts";
import type { Clock } from "../ports.ts";
import type { Attester } from "./attester.ts";

export interface AttestationParts {
  icl: Pick<IclClient, "challenge" | "verifyAttestation">;
  attester: Attester;
  /** EIP-55 address. */
  node: string;
  /** Model ids to serve: the coordinator offers only these. */
  models: readonly string[];
  /** The configured tier, 0…2. */
  tier: number;
  clock: Clock;
}

/** Plain data, kept as JSON. */
export interface NodeCertificate {
  /** 0x and at most 64 hex digits; usually 32. */
  certHash: string;
  /** Unix seconds. */
  expirySec: number;
  /** 0…2. */
  tier: number;
  /** Our clock, ms. */
  attestedAt: number;
}

/** A certificate is renewed when less than this is left of its 24–48 h (protocol §2). */
const RENEW_BEFORE_MS = 6 * 3_600_000;

/** @throws NodeError `attestation-refused` when the coordinator refuses for good, else the client's `icl-*` */
export async function attest(parts: AttestationParts): Promise<NodeCertificate> {
  const { icl, attester, node, models, tier, clock } = parts;
  const { challengeId, nonce } = await icl.challenge();
  const nonceBytes = Uint8Array.from(hexToBytes(`0x${nonce.replace(/^0x/, "")}`));
  const evidence = await attester.quote(nonceBytes, { node, challengeId, models });
  const certificate = await icl
    .verifyAttestation({
      backendType: attester.backendType,
      quote: evidence.quote,
      runtimeHash: evidence.runtimeHash,
      challengeId,
      supportedModelIds: models,
    })
    .catch((error: unknown) => {
      throw isRefusal(error) ? refused(error, attester.backendType) : error;
    });
  return {
    certHash: certificate.certHash,
    expirySec: certificate.expiry,
    tier: Math.min(tier, certificate.tier),
    attestedAt: clock.now(),
  };
}

/** True without a certificate, or when less than 6 h of it are left. */
export function needsRenewal(certificate: Pick<NodeCertificate, "expirySec"> | null, nowMs: number): boolean {
  return certificate === null || certificate.expirySec * 1000 - nowMs < RENEW_BEFORE_MS;
}

function isRefusal(error: unknown): error is NodeError {
  return error instanceof NodeError && error.code === "icl-refused";
}

function refused(error: NodeError, backend: string): NodeError {
  return new NodeError("attestation-refused", error.message, {
    retry: "never",
    hint:
      backend === "mock"
        ? "Remove MOCK_ATTESTATION_KEY unless this network uses its own, and compare versions with the coordinator."
        : `Check that the coordinator accepts ${backend} quotes, or set BLF_ATTESTATION_BACKEND to mock.`,
    cause: error,
  });
}
