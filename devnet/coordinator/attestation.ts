/**
 * Challenge, quote, certificate (protocol §2). A challenge belongs to one node and is gone once it was answered, rightly
 * or not. Quotes are checked by a verifier for each backend: the mock's is here, the others' in hardware.ts. Refuses
 * backends without one. Invariant: a certificate is given for a nonce that this coordinator drew for that node.
 */
import { type Address, bytesToHex, hexToBytes } from "viem";
import type * as z from "zod";
import { MOCK_RUNTIME_HASH, mockQuote } from "../../core/attestation/mock.ts";
import { sha256Hex } from "../../core/crypto/sha256.ts";
import type { RandomBytes } from "../../core/ports.ts";
import { ok, type Result, refuse } from "../../core/result.ts";
import { type Refusal, refusal } from "./refusal.ts";
import type { CoordinatorSettings } from "./settings.ts";
import type { CoordinatorState } from "./state.ts";
import type { attestationBody } from "./wire.ts";

export type AttestationBody = z.output<typeof attestationBody>;
export type BackendType = AttestationBody["backendType"];

export interface QuoteEvidence {
  node: Address;
  nonce: Uint8Array<ArrayBuffer>;
  quote: Uint8Array<ArrayBuffer>;
  /** 64 lowercase hex digits. */
  runtimeHash: string;
  /** `supportedModelIds`, which a hardware quote binds. */
  models: readonly string[];
}

/** Gives the tier that the quote proves, or why it proves nothing. */
export type QuoteVerifier = (evidence: QuoteEvidence) => Promise<Result<{ tier: 0 | 1 | 2 }, string>>;
export type QuoteVerifiers = ReadonlyMap<BackendType, QuoteVerifier>;

const NONCE_BYTES = 32;
const ID_BYTES = 16;
/** A certificate's hash is shorter than the registry's bytes32 (protocol §1). */
const CERT_HASH_DIGITS = 32;

/** Tier 0: recomputes the HMAC under the key that everyone knows, or under `key`. */
export function mockVerifier(key?: string): QuoteVerifier {
  return async ({ nonce, quote, runtimeHash }) => {
    if (runtimeHash !== MOCK_RUNTIME_HASH) return refuse("runtimeHash is not the mock's");
    const expected = await mockQuote(nonce, key);
    return bytesToHex(quote) === bytesToHex(expected) ? ok({ tier: 0 }) : refuse("the quote is not the nonce's HMAC");
  };
}

/** A fresh challenge for the node, as it goes out. */
export function issueChallenge(
  state: CoordinatorState,
  node: Address,
  nowMs: number,
  settings: CoordinatorSettings,
  random: RandomBytes,
) {
  for (const [id, { expiresAtMs }] of state.challenges) if (nowMs >= expiresAtMs) state.challenges.delete(id);
  const challengeId = bytesToHex(random(ID_BYTES)).slice(2);
  const nonce = random(NONCE_BYTES);
  const expiresAtMs = nowMs + settings.challengeSec * 1_000;
  state.challenges.set(challengeId, { node, nonce, expiresAtMs });
  const hex = bytesToHex(nonce);
  return { challengeId, nonce: settings.bareNonce ? hex.slice(2) : hex, expiresAt: Math.floor(expiresAtMs / 1_000) };
}

/** Takes the challenge, checks the quote, and makes the node known. */
export async function attest(
  state: CoordinatorState,
  node: Address,
  body: AttestationBody,
  parts: { nowMs: number; settings: CoordinatorSettings; verifiers: QuoteVerifiers },
): Promise<Result<{ certHash: string; expiry: number; tier: number }, Refusal>> {
  const { nowMs, settings, verifiers } = parts;
  const challenge = state.challenges.get(body.challengeId);
  if (challenge?.node !== node) return refusal("malformed", "no such challenge was given to this node, or it was used");
  state.challenges.delete(body.challengeId);
  if (nowMs >= challenge.expiresAtMs) return refusal("malformed", "the challenge has expired");
  const verify = verifiers.get(body.backendType);
  if (verify === undefined) return refusal("malformed", `backendType ${body.backendType} is not supported yet`);
  const quote = Uint8Array.from(hexToBytes(`0x${body.quote}`));
  const models = body.supportedModelIds ?? [];
  const proven = await verify({ node, nonce: challenge.nonce, quote, runtimeHash: body.runtimeHash, models });
  if (!proven.ok) return refusal("malformed", proven.refusal);

  const { tier } = proven.value;
  const certHash = `0x${(await sha256Hex(quote)).slice(0, CERT_HASH_DIGITS)}`;
  const expiresAtMs = nowMs + settings.certificateSec * 1_000;
  const heartbeats = state.nodes.get(node)?.heartbeats ?? 0;
  state.nodes.set(node, {
    address: node,
    tier,
    models,
    certHash,
    expiresAtMs,
    attestedAtMs: nowMs,
    lastSeenMs: nowMs,
    heartbeats,
  });
  return ok({ certHash, expiry: Math.floor(expiresAtMs / 1_000), tier });
}
