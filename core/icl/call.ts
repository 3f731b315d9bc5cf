/**
 * One signed call to the coordinator: one attempt, time-limited, its answer bounded and parsed. It retries nothing; that
 * is the caller's policy. Invariant: the text that is signed is the text that is sent.
 */
import type * as z from "zod";
import { requestText, type TextReply, TransportError } from "../http.ts";
import type { Clock, Fetch } from "../ports.ts";
import { faultyFields } from "./faulty-fields.ts";
import { parseLossless } from "./json.ts";
import { type CallContext, isNotableSkew, malformedError, refusalError, transportError } from "./refusal.ts";
import { authHeaders, type RequestAccount } from "./sign.ts";

export interface CallerOptions {
  /** Base URL, with or without a trailing slash. */
  endpoint: string;
  signer: RequestAccount;
  fetch: Fetch;
  clock: Clock;
  /** For one call, ms; 10 s by default. */
  timeoutMs?: number;
}

export interface Call<T> {
  name: string;
  /** Below the endpoint, its segments encoded. */
  path: string;
  /** Makes the call a POST; sent as JSON, its members in this order. */
  body?: Record<string, unknown>;
  reply: z.ZodType<T>;
  /** Called when the request is signed and is about to leave: what fails before cannot have been taken. */
  onLeaving?: () => void;
}

export interface Caller {
  /** Throws NodeError `icl-*`. */
  send<T>(call: Call<T>): Promise<T>;
  /** As `send`, or null where the status is one of `absent`. */
  find<T>(call: Call<T>, absent: readonly number[]): Promise<T | null>;
  contextOf(call: Call<unknown>): CallContext;
  clockSkewMs(): number | null;
  clockCorrectionMs(): number;
}

const TIMEOUT_MS = 10_000;
/** A thousand assignments fit. */
const MAX_BYTES = 1 << 20;

export function createCaller(options: CallerOptions): Caller {
  const { fetch, clock, signer, timeoutMs = TIMEOUT_MS } = options;
  const endpoint = options.endpoint.replace(/\/+$/, "");
  const host = new URL(endpoint).host;
  let clockSkewMs: number | null = null;

  // A timestamp decides only whether the request is taken: there the coordinator's clock is the safe one to follow.
  const clockCorrectionMs = () => (isNotableSkew(clockSkewMs) ? clockSkewMs : 0);

  const contextOf = ({ name, body }: Call<unknown>): CallContext => {
    return { name, method: body === undefined ? "GET" : "POST", host, clockSkewMs };
  };

  const exchange = async (call: Call<unknown>): Promise<TextReply> => {
    const text = call.body === undefined ? "" : JSON.stringify(call.body);
    const sentMs = clock.now();
    const headers = await authHeaders(signer, text, (sentMs + clockCorrectionMs()) / 1000);
    const init = call.body === undefined ? { headers } : { method: "POST", headers, body: text };
    const request = new Request(`${endpoint}${call.path}`, init);
    call.onLeaving?.();
    try {
      const reply = await requestText(fetch, clock, request, { timeoutMs, maxBytes: MAX_BYTES });
      clockSkewMs = skewOf(reply.headers, sentMs, clock.now()) ?? clockSkewMs;
      return reply;
    } catch (error) {
      throw error instanceof TransportError ? transportError(error, contextOf(call)) : error;
    }
  };

  const read = <T>(call: Call<T>, { status, text, retryAfterMs }: TextReply): T => {
    if (status < 200 || status >= 300) throw refusalError(status, contextOf(call), retryAfterMs);
    return parseReply(text, call.reply, contextOf(call));
  };

  return {
    contextOf,
    clockSkewMs: () => clockSkewMs,
    clockCorrectionMs,
    send: async (call) => read(call, await exchange(call)),
    async find(call, absent) {
      const reply = await exchange(call);
      return absent.includes(reply.status) ? null : read(call, reply);
    },
  };
}

function parseReply<T>(text: string, shape: z.ZodType<T>, context: CallContext): T {
  let json: unknown;
  try {
    json = parseLossless(text);
  } catch {
    throw malformedError("not JSON", context);
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw malformedError(faultyFields(parsed.error), context);
  return parsed.data;
}

/** The server's clock less ours, in ms: a Date header has whole seconds, and was written somewhere in between. */
function skewOf(headers: Headers, sentMs: number, receivedMs: number): number | null {
  const date = headers.get("date");
  // A cache repeats an old date.
  if (Number(headers.get("age") ?? 0) > 0) return null;
  const serverMs = date === null ? Number.NaN : Date.parse(date) + 500;
  return Number.isNaN(serverMs) ? null : Math.round(serverMs - (sentMs + receivedMs) / 2);
}
