/**
 * The signature of the sidecar's response: made by the sidecar, verified by the Worker. It covers the status, the content
 * and, as RFC 9421 (2.4, 7.3.7) advises, every component of the request besides the request's signature, and it names the
 * request's nonce: it answers that one request and no other. The `keyid` is the sidecar's public key itself, so that a
 * Worker pins keys and nothing else. Its time is not judged: the nonce says that it is fresh.
 */
import { component, createSignature, type ResponseDescriptor, type SignatureComponent } from "http-message-sig";
import { ok, type Result, refuse } from "../result.ts";
import { digestFits } from "./digest.ts";
import type { SigningKey, VerifyingKey } from "./keys.ts";
import { COVERED, LABEL, TAG } from "./protocol.ts";
import { fieldsOf, type RequestDescriptor, signatureFields } from "./request-signature.ts";
import { type SignatureFault, verify } from "./signature.ts";

/** What every answer covers. */
export const RESPONSE_COMPONENTS: readonly SignatureComponent[] = [
  "@status",
  "content-digest",
  "content-type",
  ...[...COVERED, "signature"].map((name) => component(name, { req: true })),
];
const PARAMETERS = ["created", "nonce", "keyid", "tag"];

/** @param request as it was signed, its signature included */
export function describeResponse(status: number, headers: Headers, request: RequestDescriptor): ResponseDescriptor {
  return { kind: "response", status, fields: fieldsOf(headers), request };
}

/** The two headers to add. `Content-Digest` and `Content-Type` must be among the response's fields. */
export async function signResponse(
  response: ResponseDescriptor,
  key: SigningKey,
  { nowMs, nonce }: { nowMs: number; nonce: string },
): Promise<Record<string, string>> {
  const { signature, signatureInput } = await createSignature(response, {
    label: LABEL,
    components: RESPONSE_COMPONENTS,
    parameters: { created: Math.floor(nowMs / 1000), nonce, keyid: key.id, tag: TAG },
    signer: key,
  });
  return Object.fromEntries(signatureFields(signature, signatureInput).map(({ name, value }) => [name, value]));
}

/**
 * When the sidecar signed it, by its own clock. `replayed` is an answer to another request of the same shape.
 * @param nonce of the request
 */
export async function verifyResponse(
  response: ResponseDescriptor,
  body: Uint8Array<ArrayBuffer>,
  nonce: string,
  keys: readonly VerifyingKey[],
): Promise<Result<{ createdSec: number }, SignatureFault>> {
  const verified = await verify(response, { components: RESPONSE_COMPONENTS, parameters: PARAMETERS, keys });
  if (!verified.ok) return verified;
  const { parameters } = verified.value;
  if (parameters.nonce !== nonce) return refuse("replayed");
  const digest = response.fields.find(({ name }) => name === "content-digest")?.value ?? null;
  if (!(await digestFits(digest, body))) return refuse("digest");
  return ok({ createdSec: parameters.created ?? 0 });
}
