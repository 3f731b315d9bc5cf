/**
 * The extension by which a coordinator finds out that an attestation key is in the TPM of an endorsement key: it wraps a secret
 * for both, and only that TPM gives it out. A coordinator without it answers 404, and the node goes on as before.
 * Invariants: a secret is taken once, in time, and never leaves but wrapped; what is kept has a bound.
 */
import * as z from "zod";
import { sha256 } from "../crypto/sha256.ts";
import type { Clock, RandomBytes } from "../ports.ts";
import { ok, type Result, refuse } from "../result.ts";
import { type Bytes, equal, fromBase64, toBase64 } from "./bytes.ts";
import { type EvidenceRefusal, malformed } from "./refusal.ts";
import { type Credential, MAX_SECRET_BYTES, makeCredential } from "./tpm-credential.ts";
import { nameOf, parsePublic, type TpmPublic } from "./tpm-structures.ts";
import { isAttestationKey, isEndorsementKey } from "./tpm-verify.ts";

/** `POST /internal/attestation/credential`: base64 of both TPMT_PUBLIC and of the certificate. */
export const credentialRequest = z.object({
  nodeAddress: z.string(),
  ekPublic: z.string().max(2_048),
  akPublic: z.string().max(2_048),
  ekCertificate: z.string().max(32_768).nullable(),
});
/** Its answer; both parts base64. */
export const credentialOffer = z.object({
  credentialId: z.string().regex(/^[0-9a-f]{32}$/),
  idObject: z.string().max(1_024),
  encryptedSecret: z.string().max(2_048),
});
/** `POST /internal/attestation/activate`; answered by `{}`. */
export const activationRequest = z.object({
  nodeAddress: z.string(),
  credentialId: z.string().regex(/^[0-9a-f]{32}$/),
  /** Base64. */
  secret: z.string().max(64),
});

export type CredentialRequest = z.output<typeof credentialRequest>;
export type CredentialOffer = z.output<typeof credentialOffer>;
export type ActivationRequest = z.output<typeof activationRequest>;

export interface Activations {
  /** Refuses keys that a TPM would not have; throws nothing. */
  offer(request: CredentialRequest): Promise<Result<CredentialOffer, EvidenceRefusal>>;
  /** Takes the offer, whether the secret is right or not. */
  redeem(request: ActivationRequest): Promise<Result<null, EvidenceRefusal>>;
  /** Whether this key of this node was activated against this endorsement key. */
  isActivated(node: string, ek: TpmPublic, akName: Bytes): Promise<boolean>;
}

const OFFER_MS = 5 * 60_000;
/** Of offers and of activated keys, the oldest go. A devnet has a few nodes; a flood of requests must cost no memory. */
const MAX_KEPT = 1_000;

interface Offer {
  secretHash: Bytes;
  activation: string;
  node: string;
  expiresAtMs: number;
}

export function createActivations({ clock, random }: { clock: Clock; random: RandomBytes }): Activations {
  const offers = new Map<string, Offer>();
  const activated = new Set<string>();

  async function offer(request: CredentialRequest): Promise<CredentialOffer> {
    const [ek, ak] = [parsePublic(fromBase64(request.ekPublic)), parsePublic(fromBase64(request.akPublic))];
    if (!isEndorsementKey(ek) || !isAttestationKey(ak)) throw new ForeignKey();
    const secret = random(MAX_SECRET_BYTES);
    const credential = await makeCredential(ek, await nameOf(ak), secret, random);
    const credentialId = hex(random(16));
    const node = request.nodeAddress.toLowerCase();
    keep(offers);
    offers.set(credentialId, {
      secretHash: await sha256(secret),
      activation: await keyOf(node, ek, await nameOf(ak)),
      node,
      expiresAtMs: clock.now() + OFFER_MS,
    });
    return { credentialId, ...encode(credential) };
  }

  return {
    async offer(request) {
      try {
        return ok(await offer(request));
      } catch (error) {
        if (error instanceof ForeignKey)
          return refuse({ code: "key", message: "the keys are not a TPM's of their kind" });
        return refuse(malformed(error));
      }
    },

    async redeem({ nodeAddress, credentialId, secret }) {
      const found = offers.get(credentialId);
      if (found === undefined || found.node !== nodeAddress.toLowerCase()) return refuse(NO_OFFER);
      offers.delete(credentialId);
      if (clock.now() >= found.expiresAtMs) return refuse(NO_OFFER);
      const given = decodeSecret(secret);
      if (given === null || !equal(await sha256(given), found.secretHash)) {
        return refuse({ code: "key", message: "the secret is not the one that was wrapped" });
      }
      keep(activated);
      activated.add(found.activation);
      return ok(null);
    },

    isActivated: async (node, ek, akName) => activated.has(await keyOf(node.toLowerCase(), ek, akName)),
  };
}

/** What a node posts back for an offer: base64 to and from the TPM's bytes. */
export function decodeOffer({ idObject, encryptedSecret }: CredentialOffer): Credential {
  return { idObject: fromBase64(idObject), encryptedSecret: fromBase64(encryptedSecret) };
}

function encode({ idObject, encryptedSecret }: Credential) {
  return { idObject: toBase64(idObject), encryptedSecret: toBase64(encryptedSecret) };
}

const NO_OFFER: EvidenceRefusal = {
  code: "key",
  message: "no such credential was offered to this node, or it was used",
};

class ForeignKey extends Error {}

async function keyOf(node: string, ek: TpmPublic, akName: Bytes): Promise<string> {
  return `${node} ${hex(await nameOf(ek))} ${hex(akName)}`;
}

function decodeSecret(text: string): Bytes | null {
  try {
    return fromBase64(text);
  } catch {
    return null;
  }
}

/** Makes room for one more. Both keep what was added in its order. */
function keep(kept: Map<string, unknown> | Set<string>): void {
  while (kept.size >= MAX_KEPT) {
    const [oldest] = kept.keys();
    if (oldest === undefined) return;
    kept.delete(oldest);
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
