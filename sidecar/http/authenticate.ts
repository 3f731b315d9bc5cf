/**
 * Nobody gets past this but a Worker whose key is known. The signature is verified before a byte of the body is read; then
 * the body, bounded, must fit its digest, and the nonce must be new. Every answer to a request that passed is signed. A
 * stranger gets one and the same answer whatever was wrong and whatever was asked for; the log has the reason.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { Clock, Log } from "../../core/ports.ts";
import { contentDigest, digestFits } from "../../core/sidecar/digest.ts";
import { type ErrorReply, type RefusalCode, refusalToWire } from "../../core/sidecar/failure-wire.ts";
import type { SigningKey, VerifyingKey } from "../../core/sidecar/keys.ts";
import { ABSENT, ATTEMPT_HEADER, JOB_HEADER, JSON_TYPE, NODE_HEADER } from "../../core/sidecar/protocol.ts";
import {
  describeRequest,
  type RequestDescriptor,
  type RequestIdentity,
  verifyRequest,
} from "../../core/sidecar/request-signature.ts";
import { describeResponse, signResponse } from "../../core/sidecar/response-signature.ts";
import type { SignatureFault } from "../../core/sidecar/signature.ts";
import { readAtMost } from "./body.ts";
import type { FailureLimit } from "./failure-limit.ts";
import type { NonceStore } from "./nonce-store.ts";

/** What a request that passed is about, as its headers say. */
export interface Authenticated {
  keyId: string;
  /** `@none` where it does not apply. */
  node: string;
  /** Percent-encoded. */
  job: string;
  attempt: number | undefined;
  body: Uint8Array<ArrayBuffer>;
}

export type SidecarEnv = { Variables: { authenticated?: Authenticated } };

export interface Gate {
  /** The Workers' keys: two of one Worker while they are exchanged. */
  workerKeys: readonly VerifyingKey[];
  /** The sidecar's own. */
  signingKey: SigningKey;
  /** Where the sidecar is reached, as `https://HOST`: a request to anywhere else was meant for somebody else. */
  origins: readonly string[];
  nonces: NonceStore;
  failures: FailureLimit;
  clock: Pick<Clock, "now">;
  log: Log;
}

/** In place of an origin that is not the sidecar's: what was signed for that one does not fit here. */
const NOWHERE = "https://unknown.invalid";

/** @param maxBodyOf bytes that the route takes */
export function authenticate(gate: Gate, maxBodyOf: (c: Context<SidecarEnv>) => number): MiddlewareHandler<SidecarEnv> {
  return async (c, next) => {
    const origin = originOf(gate, c.req.raw);
    const request = asSent(c.req.raw, origin ?? NOWHERE);
    const verified = await verifyRequest(request, gate.workerKeys, gate.clock.now());
    const identity = verified.ok ? verified.value : verified.refusal.identity;
    if (origin === null || identity === undefined) {
      const fault = verified.ok ? "forged" : verified.refusal.fault;
      return refuseStranger(gate, c, origin === null && fault === "forged" ? "authority" : fault);
    }
    const refusal = verified.ok ? await admit(gate, c, identity, maxBodyOf(c), next) : "stale";
    if (refusal !== null) replaceAnswer(c, refuseKnown(gate, identity, refusal));
    return signAnswer(gate, c, request, identity.nonce);
  };
}

/** Null when a handler has answered; else why a Worker that is known is refused. */
async function admit(
  gate: Gate,
  c: Context<SidecarEnv>,
  identity: RequestIdentity,
  maxBytes: number,
  next: () => Promise<void>,
): Promise<RefusalCode | null> {
  const { headers, body: stream } = c.req.raw;
  const body = await readAtMost(stream, maxBytes);
  if (body === "too-large") return "too-large";
  if (body === "broken" || !(await digestFits(headers.get("content-digest"), body))) return "digest";
  // Last, so that a copy with another body does not spend the nonce of the request itself.
  const taken = gate.nonces.take(identity, gate.clock.now());
  if (taken !== "taken") return taken;
  const attempt = headers.get(ATTEMPT_HEADER) ?? "";
  c.set("authenticated", {
    keyId: identity.keyId,
    node: headers.get(NODE_HEADER) ?? ABSENT,
    job: headers.get(JOB_HEADER) ?? ABSENT,
    attempt: /^[1-9]\d{0,5}$/.test(attempt) ? Number(attempt) : undefined,
    body,
  });
  await next();
  return null;
}

/** The origin that the request was sent to, if it is one of the sidecar's. */
function originOf({ origins }: Gate, { headers, url }: Request): string | null {
  const host = (headers.get("host") ?? new URL(url).host).toLowerCase();
  return origins.find((known) => new URL(known).host === host) ?? null;
}

/** As its sender described it. TLS ends before the sidecar, which sees no scheme of its own: the origin says it. */
function asSent({ method, url, headers }: Request, origin: string): RequestDescriptor {
  return describeRequest(method, `${origin}${url.slice(new URL(url).origin.length)}`, headers);
}

function refuseStranger(gate: Gate, c: Context<SidecarEnv>, reason: SignatureFault | "authority"): Response {
  const input = c.req.raw.headers.get("signature-input") ?? "";
  // As it says itself: for the count and the log only.
  const key = /;keyid="([\w.:-]{1,64})"/.exec(input)?.[1] ?? "";
  const tooMany = note(gate, key, reason);
  return answer(refusalToWire(tooMany ? "too-many-failures" : "unauthenticated"));
}

/** The answer is signed: the Worker may believe it, and tell its operator. */
function refuseKnown(gate: Gate, { keyId }: RequestIdentity, code: RefusalCode): Response {
  note(gate, keyId, code);
  return answer(refusalToWire(code));
}

/** Counts a refusal and logs it, unless there were too many. */
function note({ failures, clock, log }: Gate, key: string, reason: string): boolean {
  const tooMany = failures.exceeds(key, clock.now());
  if (!tooMany) log("warn", "request.refused", { reason, key });
  return tooMany;
}

export function answer({ status, body }: ErrorReply): Response {
  const { retryAfterMs } = body.error;
  const wait: Record<string, string> =
    retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return new Response(JSON.stringify(body), { status, headers: { "content-type": JSON_TYPE, ...wait } });
}

async function signAnswer(
  { signingKey, clock }: Gate,
  c: Context<SidecarEnv>,
  request: RequestDescriptor,
  nonce: string,
): Promise<void> {
  const body = new Uint8Array(await c.res.arrayBuffer());
  const headers = new Headers(c.res.headers);
  headers.set("content-digest", await contentDigest(body));
  const described = describeResponse(c.res.status, headers, request);
  const signature = await signResponse(described, signingKey, { nowMs: clock.now(), nonce });
  for (const [name, value] of Object.entries(signature)) headers.set(name, value);
  replaceAnswer(c, new Response(body, { status: c.res.status, headers }));
}

/** Hono would join the headers of the answer before. */
function replaceAnswer(c: Context<SidecarEnv>, response: Response): void {
  c.res = undefined;
  c.res = response;
}
