/**
 * Shows a coordinator that the attestation key is in the TPM of its endorsement key, where the coordinator asks for that: the
 * extension of core/attestation/activation.ts, before a quote. A coordinator that does not know it answers 404, and nothing
 * is lost. Invariant: whatever goes wrong here costs the tier at most, never the attestation.
 */

import * as z from "zod";
import {
  activationRequest,
  credentialOffer,
  credentialRequest,
  decodeOffer,
} from "../../core/attestation/activation.ts";
import { toBase64 } from "../../core/attestation/bytes.ts";
import { toFailure } from "../../core/errors.ts";
import { type CallerOptions, createCaller } from "../../core/icl/call.ts";
import type { Log } from "../../core/ports.ts";
import type { TpmAttester } from "./tpm.ts";

/** What a coordinator answers to a route that it does not have. */
const UNSUPPORTED = [404, 405, 501];

export type Activation = "activated" | "unsupported" | "failed";

/** @param options how to ask the coordinator as the node: its signer, the endpoint */
export async function activateKey(
  tpm: Pick<TpmAttester, "keys" | "activate">,
  options: CallerOptions,
  log: Log,
): Promise<Activation> {
  const caller = createCaller(options);
  const node = options.signer.address;
  try {
    const { ek, ak, ekCertificate } = await tpm.keys();
    const body = credentialRequest.parse({
      nodeAddress: node,
      ekPublic: toBase64(ek.encoded),
      akPublic: toBase64(ak.encoded),
      ekCertificate: ekCertificate === null ? null : toBase64(ekCertificate),
    });
    const path = "/internal/attestation/credential";
    const offer = await caller.find({ name: "credential", path, body, reply: credentialOffer }, UNSUPPORTED);
    if (offer === null) return "unsupported";
    const secret = toBase64(await tpm.activate(decodeOffer(offer)));
    const answer = activationRequest.parse({ nodeAddress: node, credentialId: offer.credentialId, secret });
    await caller.send({
      name: "activation",
      path: "/internal/attestation/activate",
      body: answer,
      reply: z.object({}),
    });
    log("info", "attestation.key-activated", { node });
    return "activated";
  } catch (error) {
    const { code, message } = toFailure(error);
    log("warn", "attestation.key-not-activated", { node, code, reason: message });
    return "failed";
  }
}
