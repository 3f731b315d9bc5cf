/**
 * The signature of a request to the sidecar: made by the Worker, verified by the sidecar. It covers where the request
 * goes, what it carries and whom it is about (protocol.ts), and is good for a minute. Refuses, with the reason, whatever
 * lacks any part of that. Whether the nonce was used before, and whether the digest fits, is for the caller to ask.
 */
import { createSignature, type FieldOccurrence, type RequestDescriptor } from "http-message-sig";
import { ok, type Result, refuse } from "../result.ts";
import type { SigningKey, VerifyingKey } from "./keys.ts";
import { ABSENT, ATTEMPT_HEADER, COVERED, JOB_HEADER, LABEL, NODE_HEADER, SKEW_SEC, TAG } from "./protocol.ts";
import { type SignatureFault, verify } from "./signature.ts";

export type { RequestDescriptor };

/** Whom a request is about; what does not apply is left out. */
export interface About {
  node?: string;
  jobId?: string;
  attempt?: number;
}

export interface RequestIdentity {
  keyId: string;
  nonce: string;
  createdSec: number;
}

export interface RequestRefusal {
  fault: SignatureFault;
  /** Given where the signature fits, so that its holder may be told more than a stranger. */
  identity?: RequestIdentity;
}

const PARAMETERS = ["created", "expires", "nonce", "keyid", "tag"];
const NONCE_FORM = /^[A-Za-z0-9_-]{16,64}$/;

/** The three headers that are always sent. */
export function aboutHeaders({ node, jobId, attempt }: About): Record<string, string> {
  return {
    [NODE_HEADER]: node ?? ABSENT,
    [JOB_HEADER]: jobId === undefined ? ABSENT : encodeURIComponent(jobId),
    [ATTEMPT_HEADER]: attempt === undefined ? ABSENT : String(attempt),
  };
}

/** A request as RFC 9421 sees it: what is read off the wire on one side must be what was put there on the other. */
export function describeRequest(method: string, url: string, headers: Headers): RequestDescriptor {
  return { kind: "request", method, targetUri: url, fields: fieldsOf(headers) };
}

/** What signatures read: proxies add headers of their own, which may hold what no signature base can. */
const READ: ReadonlySet<string> = new Set([...COVERED, "signature", "signature-input"]);

export function fieldsOf(headers: Headers): FieldOccurrence[] {
  const fields: FieldOccurrence[] = [];
  headers.forEach((value, name) => {
    if (READ.has(name)) fields.push({ name, value });
  });
  return fields;
}

/** The request with its `Signature` and `Signature-Input`. All of `COVERED` must be among its fields. */
export async function signRequest(
  request: RequestDescriptor,
  key: SigningKey,
  { nowMs, nonce }: { nowMs: number; nonce: string },
): Promise<RequestDescriptor> {
  const created = Math.floor(nowMs / 1000);
  const parameters = { created, expires: created + SKEW_SEC, nonce, keyid: key.id, tag: TAG };
  const { signature, signatureInput } = await createSignature(request, {
    label: LABEL,
    components: COVERED,
    parameters,
    signer: key,
  });
  return { ...request, fields: [...request.fields, ...signatureFields(signature, signatureInput)] };
}

export function signatureFields(signature: string, signatureInput: string): FieldOccurrence[] {
  return [
    { name: "signature-input", value: signatureInput },
    { name: "signature", value: signature },
  ];
}

/** Who signed the request. `stale` is said only of a request whose signature fits. */
export async function verifyRequest(
  request: RequestDescriptor,
  keys: readonly VerifyingKey[],
  nowMs: number,
): Promise<Result<RequestIdentity, RequestRefusal>> {
  const verified = await verify(request, { components: COVERED, parameters: PARAMETERS, keys });
  if (!verified.ok) return refuse({ fault: verified.refusal });
  const { created = 0, expires = 0, nonce = "" } = verified.value.parameters;
  if (!NONCE_FORM.test(nonce)) return refuse({ fault: "parameter" });
  const identity = { keyId: verified.value.verifier.id, nonce, createdSec: created };
  const nowSec = nowMs / 1000;
  const timely = Math.abs(nowSec - created) <= SKEW_SEC && nowSec <= expires;
  const bounded = expires > created && expires - created <= SKEW_SEC;
  return timely && bounded ? ok(identity) : refuse({ fault: "stale", identity });
}
