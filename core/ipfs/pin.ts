/**
 * Pins a sealed answer with Pinata's API (protocol §6). The service's word for the CID is checked against the bytes where
 * they can prove it, because the node will commit to that CID. Refuses redirects: the token goes to the configured host
 * only. Repeating is safe, since the same bytes get the same CID.
 */
import * as z from "zod";
import { NodeError } from "../errors.ts";
import { type BytesReply, requestBytes, TransportError, type TransportFault } from "../http.ts";
import type { Clock, Fetch, Log } from "../ports.ts";
import type { Secret } from "../secret.ts";
import { type Bytes, type Cid, parseCid, RAW } from "./cid.ts";
import { isFileOf } from "./layout.ts";

export const PINATA_API_URL = "https://api.pinata.cloud";
/** Answers are a few KB; an upload on a slow line takes most of the time. */
const PIN_TIMEOUT_MS = 30_000;
/** An answer is a hash, a size and a date. */
const REPLY_MAX_BYTES = 64 * 1024;

export interface PinnerOptions {
  /** Base URL without `/pinning/…`; PINATA_API_URL by default. */
  apiUrl?: string;
  jwt: Secret;
  fetch: Fetch;
  clock: Clock;
  log?: Log;
}

export interface Pinner {
  /**
   * Uploads the bytes under a name that only the account's owner sees. The CID is the service's own spelling, which the
   * commitment hashes. Throws `pin-refused` (never) or `pin-unavailable` (later), or the signal's reason.
   */
  pin(bytes: Bytes, name: string, signal?: AbortSignal): Promise<{ cid: string }>;
}

/** Pinata's legacy answer and, under `data`, that of its v3. */
const pinReply = z.object({
  IpfsHash: z.string().optional(),
  data: z.object({ cid: z.string() }).optional(),
});

export function createPinner(options: PinnerOptions): Pinner {
  const url = new URL(`${(options.apiUrl ?? PINATA_API_URL).replace(/\/+$/, "")}/pinning/pinFileToIPFS`);
  return {
    async pin(bytes, name, signal) {
      const reply = await upload(options, url, bytes, name, signal);
      const text = cidIn(reply);
      const cid = text === undefined ? undefined : parseCid(text);
      if (text === undefined || cid === undefined || !cid.ok)
        throw unclear("answered without a CID that can be checked");
      await check(cid.value, bytes, options.log);
      return { cid: text };
    },
  };
}

async function upload(
  options: PinnerOptions,
  url: URL,
  bytes: Bytes,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Bytes> {
  const body = new FormData();
  body.append("file", new Blob([bytes], { type: "application/octet-stream" }), name);
  const headers = { authorization: `Bearer ${options.jwt.reveal()}` };
  const request = new Request(url, { method: "POST", headers, body });
  const limits = { timeoutMs: PIN_TIMEOUT_MS, maxBytes: REPLY_MAX_BYTES, signal };
  const reply = await requestBytes(options.fetch, options.clock, request, limits).catch((error: unknown) => {
    throw error instanceof TransportError ? unclear(TRANSPORT_FAULTS[error.fault]) : error;
  });
  if (reply.status >= 200 && reply.status < 300) return reply.bytes;
  throw refusal(url, reply);
}

const TRANSPORT_FAULTS: Record<TransportFault, string> = {
  timeout: `did not answer within ${PIN_TIMEOUT_MS / 1000} s`,
  connection: "could not be reached",
  cut: "broke off its answer",
  encoding: "broke off its answer",
  oversized: "answered at implausible length",
};

function cidIn(reply: Bytes): string | undefined {
  try {
    const { IpfsHash, data } = pinReply.parse(JSON.parse(new TextDecoder().decode(reply)));
    return IpfsHash ?? data?.cid;
  } catch {
    return undefined;
  }
}

/** A raw CID must be the bytes' own hash. A dag-pb one in an unusual layout cannot be judged: that is logged, not refused. */
async function check(cid: Cid, bytes: Bytes, log: Log | undefined): Promise<void> {
  if (await isFileOf(cid, bytes)) return;
  if (cid.code === RAW) throw unclear("answered with the CID of other bytes");
  log?.("warn", "ipfs.pin-unproven", { cid: cid.toString() });
}

/** The upload may have taken effect, or may not have; either way it can be repeated. */
function unclear(what: string): NodeError {
  return new NodeError("pin-unavailable", `the pinning service ${what}`, {
    retry: "later",
    admitted: "unknown",
    hint: "The upload is repeated by itself. If it goes on, check the service's status page and PINATA_API_URL.",
  });
}

function refusal(url: URL, { status, retryAfterMs }: BytesReply): NodeError {
  const message = `${url.host} answered the upload with ${status}`;
  if (status !== 408 && status !== 429 && status < 500) {
    return new NodeError("pin-refused", message, { retry: "never", hint: refusalHint(status) });
  }
  return new NodeError("pin-unavailable", message, {
    retry: "later",
    admitted: status >= 500 ? "unknown" : "no",
    hint:
      status === 429 ? "The account's rate limit is reached; a larger plan lifts it." : "It is tried again by itself.",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function refusalHint(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return "PINATA_JWT is revoked, expired or lacks the scope pinFileToIPFS: make a new key at https://app.pinata.cloud/developers/api-keys.";
    case 402:
      return "The Pinata account has reached its plan's limit: free space or change the plan.";
    default:
      return "Check that PINATA_API_URL is the base URL of a service with Pinata's API, without /pinning.";
  }
}
