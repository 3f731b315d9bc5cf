/**
 * One signed exchange with the sidecar: one attempt, bounded in time and size, its answer verified before a word of it
 * is believed. An answer without the sidecar's signature comes from something in between (a tunnel, Access, a proxy) and
 * says at most that the sidecar cannot be reached. It retries nothing. Invariant: what is signed is what is sent.
 */
import { NodeError } from "../errors.ts";
import { type BytesReply, requestBytes, TransportError } from "../http.ts";
import type { Clock, Fetch, RandomBytes } from "../ports.ts";
import type { Secret } from "../secret.ts";
import { contentDigest } from "./digest.ts";
import type { Endpoint } from "./endpoints.ts";
import { fromWire, wireError } from "./failure-wire.ts";
import { type SigningKey, signingKey, type VerifyingKey, verifyingKey } from "./keys.ts";
import { JSON_TYPE, NONCE_BYTES, SKEW_SEC } from "./protocol.ts";
import { type About, aboutHeaders, describeRequest, type RequestDescriptor, signRequest } from "./request-signature.ts";
import { describeResponse, verifyResponse } from "./response-signature.ts";
import type { SignatureFault } from "./signature.ts";
import { forgedAnswer, lostAnswer, malformedAnswer, type SidecarCall, unsignedAnswer } from "./unbelievable.ts";

export interface SidecarOptions {
  /** `https://HOST[:PORT]`, without a path. */
  url: string;
  /** The Worker's key; the sidecar knows its public half by this id. */
  key: { id: string; seed: Secret };
  /** The sidecar's public keys, 64 hex digits each: two while they are exchanged. */
  sidecarKeys: readonly string[];
  fetch: Fetch;
  clock: Clock;
  random: RandomBytes;
  /** A service token of Cloudflare Access, where the sidecar's tunnel stands behind it. */
  access?: { clientId: string; clientSecret: Secret };
}

export interface Message {
  name: string;
  endpoint: Endpoint;
  path: string;
  /** Empty where there is none. */
  text: string;
  about: About;
}

export interface Exchange {
  /** The body of a successful answer. Throws NodeError. */
  send(message: Message, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** The sidecar's clock less ours, as its last signed answer showed; null before one. */
  clockSkewMs(): number | null;
}

export function createExchange(options: SidecarOptions): Exchange {
  const { fetch, clock, random, access } = options;
  const origin = originOf(options.url);
  const host = new URL(origin).host;
  const key: SigningKey = signingKey(options.key.id, options.key.seed);
  const pinned: VerifyingKey[] = options.sidecarKeys.map((hex) => verifyingKey(hex.toLowerCase(), hex));
  let clockSkewMs: number | null = null;

  /** The sidecar judges by its own clock; it said what that is under its signature. */
  const sidecarNowMs = () => {
    const notable = clockSkewMs !== null && Math.abs(clockSkewMs) > (SKEW_SEC / 2) * 1000;
    return clock.now() + (notable ? (clockSkewMs ?? 0) : 0);
  };

  const sign = async ({ endpoint, path, text, about }: Message, nonce: string): Promise<RequestDescriptor> => {
    const headers = new Headers({
      "content-type": JSON_TYPE,
      "content-digest": await contentDigest(Uint8Array.from(new TextEncoder().encode(text))),
      ...aboutHeaders(about),
    });
    const request = describeRequest(endpoint.method, `${origin}${path}`, headers);
    return signRequest(request, key, { nowMs: sidecarNowMs(), nonce });
  };

  const carry = async (call: SidecarCall, request: Request, endpoint: Endpoint, signal?: AbortSignal) => {
    try {
      const { timeoutMs, maxReply: maxBytes } = endpoint;
      return await requestBytes(fetch, clock, request, { timeoutMs, maxBytes, signal });
    } catch (error) {
      throw error instanceof TransportError ? lostAnswer(error, call) : error;
    }
  };

  return {
    clockSkewMs: () => clockSkewMs,
    async send(message, signal) {
      const { endpoint, text, name } = message;
      const call: SidecarCall = { name, method: endpoint.method, host };
      const nonce = base64Url(random(NONCE_BYTES));
      const signed = await sign(message, nonce);
      const headers = new Headers(signed.fields.map(({ name: field, value }): [string, string] => [field, value]));
      if (access !== undefined) {
        headers.set("cf-access-client-id", access.clientId);
        headers.set("cf-access-client-secret", access.clientSecret.reveal());
      }
      const body = text === "" ? {} : { body: text };
      const request = new Request(signed.targetUri, { method: endpoint.method, headers, ...body });
      const reply = await carry(call, request, endpoint, signal);
      const believed = await verifyResponse(
        describeResponse(reply.status, reply.headers, signed),
        reply.bytes,
        nonce,
        pinned,
      );
      if (!believed.ok) throw disbelief(believed.refusal, reply, call);
      clockSkewMs = believed.value.createdSec * 1000 - clock.now();
      if (reply.status < 200 || reply.status >= 300) throw refusalOf(reply, call);
      return reply.bytes;
    },
  };
}

/** A path of its own would be one thing to the Worker and, behind a proxy that strips it, another to the sidecar. */
function originOf(url: string): string {
  const { origin, pathname, search } = new URL(url);
  if (pathname === "/" && search === "") return origin;
  throw new NodeError("settings", "the sidecar's URL holds more than a host", {
    retry: "never",
    hint: "Set BLF_SIDECAR_URL to https://HOST or https://HOST:PORT, without a path.",
  });
}

function disbelief(fault: SignatureFault, reply: BytesReply, call: SidecarCall): NodeError {
  return fault === "missing" ? unsignedAnswer(reply, call) : forgedAnswer(fault, call);
}

/** What the sidecar itself says, under its signature. */
function refusalOf({ bytes }: BytesReply, call: SidecarCall): NodeError {
  const parsed = wireError.safeParse(parseJson(bytes));
  return parsed.success ? fromWire(parsed.data.error) : malformedAnswer("its error", call);
}

/** The value, or undefined where it is none; no answer of ours is the JSON text `undefined`. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return undefined;
  }
}

function base64Url(bytes: Uint8Array): string {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
