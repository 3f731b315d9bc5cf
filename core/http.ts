/**
 * One bounded HTTP exchange: a time limit over headers and body together, and a body that is given up beyond its limit.
 * It judges no status and retries nothing. Redirects are not followed unless asked for, because a signed or authorised
 * request must not reach another host. Invariant: errors name host and path only, never query, headers or body.
 */
import type { Clock, Fetch } from "./ports.ts";
import { fetchFollowing } from "./redirects.ts";

export interface HttpLimits {
  /** For the whole exchange, the body included. */
  timeoutMs: number;
  /** Of the body, after decoding. */
  maxBytes: number;
  /** The caller's own; when it fires, the exchange rejects with its reason. */
  signal?: AbortSignal | undefined;
  /** `manual` (default) hands a 3xx back as it is; `follow` is for a GET that carries nothing secret (redirects.ts). */
  redirect?: "manual" | "follow";
}

export interface BytesReply {
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
  /** The server's Retry-After in ms from now, at most an hour; absent when it sent none that can be read. */
  retryAfterMs?: number;
}

export interface TextReply extends BytesReply {
  text: string;
}

/** `connection`: no answer. `timeout`: none in time. `cut`: the body broke off. `oversized`, `encoding`: unusable body. */
export type TransportFault = "connection" | "timeout" | "cut" | "oversized" | "encoding";

/** An exchange that gave no complete answer. Callers map it to their own NodeError. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly fault: TransportFault;
  /** What was asked of whom: method, host and path. */
  readonly target: string;
  /** What went wrong, without the path, which may carry a key where an operator's base URL does. */
  readonly detail: string;

  constructor(fault: TransportFault, target: string, detail: string) {
    super(`${target}: ${detail}`);
    this.fault = fault;
    this.target = target;
    this.detail = detail;
  }
}

/** A server that asks for longer is asked again after this all the same: duties must not sleep for a day. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Of a refusal's body; what matters there is the status. */
const MAX_REFUSAL_BYTES = 65_536;

/**
 * Sends a request and reads the whole answer. A body that breaks off or is too long fails the exchange, except under a
 * status that is a refusal anyway: then it is cut short and the status reported.
 * @throws TransportError, or the reason of `limits.signal`
 */
export async function requestBytes(
  fetch: Fetch,
  clock: Clock,
  request: Request,
  limits: HttpLimits,
): Promise<BytesReply> {
  limits.signal?.throwIfAborted();
  const timer = startTimer(clock, limits.timeoutMs);
  try {
    return await exchange(fetch, clock, request, { ...limits, timer: timer.signal });
  } finally {
    timer.stop();
  }
}

/** A timer that is taken down with the exchange: one left behind would keep an object awake, and billed, until it fires. */
function startTimer(clock: Clock, timeoutMs: number): { signal: AbortSignal; stop(): void } {
  const late = new AbortController();
  const done = new AbortController();
  const timer = clock.sleep(timeoutMs, done.signal);
  timer.then(
    () => late.abort(new DOMException("the exchange took too long", "TimeoutError")),
    () => undefined,
  );
  return { signal: late.signal, stop: () => done.abort() };
}

async function exchange(
  fetch: Fetch,
  clock: Clock,
  request: Request,
  limits: HttpLimits & { timer: AbortSignal },
): Promise<BytesReply> {
  const { timer } = limits;
  const target = targetOf(request);
  const signal = limits.signal === undefined ? timer : AbortSignal.any([timer, limits.signal]);
  const failure = (fault: TransportFault, detail: string) => {
    limits.signal?.throwIfAborted();
    if (timer.aborted) return new TransportError("timeout", target, `no answer within ${limits.timeoutMs} ms`);
    return new TransportError(fault, target, detail);
  };
  const init = { signal, redirect: "manual" } as const;
  const sent = limits.redirect === "follow" ? fetchFollowing(fetch, request, init) : fetch(request, init);
  const response = await until(signal, sent).catch((error: unknown) => {
    throw failure("connection", `the connection failed${causeOf(error)}`);
  });
  const maxBytes = response.ok ? limits.maxBytes : Math.min(limits.maxBytes, MAX_REFUSAL_BYTES);
  const body = await readBody(response, maxBytes, signal);
  if (!body.complete) {
    limits.signal?.throwIfAborted();
    if (response.ok) {
      throw body.oversized
        ? failure("oversized", `the answer is longer than ${maxBytes} bytes`)
        : failure("cut", "the answer broke off");
    }
  }
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), clock.now());
  const reply = { status: response.status, headers: response.headers, bytes: body.bytes };
  return retryAfterMs === null ? reply : { ...reply, retryAfterMs };
}

/**
 * As `requestBytes`, with the body as text. A successful answer must be UTF-8.
 * @throws TransportError, or the reason of `limits.signal`
 */
export async function requestText(
  fetch: Fetch,
  clock: Clock,
  request: Request,
  limits: HttpLimits,
): Promise<TextReply> {
  const reply = await requestBytes(fetch, clock, request, limits);
  const success = reply.status >= 200 && reply.status < 300;
  try {
    return { ...reply, text: new TextDecoder("utf-8", { fatal: success, ignoreBOM: false }).decode(reply.bytes) };
  } catch {
    throw new TransportError("encoding", targetOf(request), "the answer is not UTF-8 text");
  }
}

/** Milliseconds from `nowMs` that a Retry-After asks for, in seconds or as an HTTP date (RFC 9110, 10.2.3); else null. */
export function parseRetryAfter(value: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  const delayMs = /^\d+(\.\d+)?$/.test(text)
    ? Math.ceil(Number(text) * 1000)
    : text.endsWith(" GMT")
      ? Date.parse(text) - nowMs
      : Number.NaN;
  return Number.isNaN(delayMs) ? null : Math.min(Math.max(delayMs, 0), MAX_RETRY_AFTER_MS);
}

/** Method, host and path of a request: what may be said about it. */
function targetOf(request: Request): string {
  const { host, pathname } = new URL(request.url);
  return `${request.method} ${host}${pathname}`;
}

/** Node's fetch hides the system's error code one level down; only such a code is safe to repeat. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" && /^[A-Z_]{3,40}$/.test(code) ? ` (${code})` : "";
}

/** The work's outcome, or the signal's reason: a platform that ignores the signal must not hang the caller. */
async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

interface Body {
  bytes: Uint8Array<ArrayBuffer>;
  complete: boolean;
  oversized: boolean;
}

async function readBody(response: Response, maxBytes: number, signal: AbortSignal): Promise<Body> {
  const reader = response.body?.getReader();
  if (reader === undefined) return { bytes: new Uint8Array(0), complete: true, oversized: false };
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await until(signal, reader.read());
      if (done) return { bytes: join(chunks, length), complete: true, oversized: false };
      if (length + value.length > maxBytes) {
        reader.cancel().catch(() => {});
        return { bytes: join(chunks, length), complete: false, oversized: true };
      }
      chunks.push(value);
      length += value.length;
    }
  } catch {
    reader.cancel().catch(() => {});
    return { bytes: join(chunks, length), complete: false, oversized: false };
  }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
