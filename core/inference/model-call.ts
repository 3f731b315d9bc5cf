/**
 * One HTTP exchange with a model's server, and what its refusals mean. It retries nothing. Invariant: errors hold no
 * prompt, no answer, no key and none of the server's words.
 */
import type * as z from "zod";
import { NodeError } from "../errors.ts";
import { requestText, type TextReply, TransportError } from "../http.ts";
import type { Secret } from "../secret.ts";
import type { BackendPorts } from "./backend.ts";

export interface ModelCall {
  url: string;
  headers: Record<string, string>;
  /** Makes the call a POST. */
  body?: Record<string, unknown>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  service: ModelService;
}

/** What the clouds have in common. */
export interface CloudConfig extends BackendPorts {
  apiKey: Secret;
  baseUrl: string;
  /** ms; 60 s by default. */
  timeoutMs?: number;
}

/** How errors name the server and the settings that lead to it. */
export interface ModelService {
  name: string;
  keySetting: string;
  urlSetting: string;
}

/** 2048 tokens are some 10 KB; lists of models are longer. */
const MAX_BYTES = 4 << 20;
/** A question about the key is small talk: it must not hold up what waits for it. */
const CHECK_TIMEOUT_MS = 10_000;
/** Statuses below 500 that pass: time-outs, too early, and Groq's and nginx's own for "capacity" and "gave up". */
const PASSING = [408, 409, 425, 498, 499];

/** The whole answer, whatever its status. Throws NodeError `model-unavailable` without one. */
export async function callModel(ports: BackendPorts, call: ModelCall): Promise<TextReply> {
  const init = call.body === undefined ? {} : { method: "POST", body: JSON.stringify(call.body) };
  const request = new Request(call.url, { ...init, headers: { "Content-Type": "application/json", ...call.headers } });
  try {
    const { timeoutMs, signal } = call;
    return await requestText(ports.fetch, ports.clock, request, { timeoutMs, maxBytes: MAX_BYTES, signal });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw new NodeError("model-unavailable", `${call.service.name} (${new URL(call.url).host}): ${error.detail}`, {
      retry: "later",
      admitted: "unknown",
      hint: `Check that ${call.service.name} is up and ${call.service.urlSetting} is right.`,
    });
  }
}

/** Asks for the list of models, which takes a key and uses none of them. Throws NodeError `model-key` on 401 and 403. */
export async function askAboutKey(
  ports: BackendPorts,
  call: Pick<ModelCall, "url" | "headers" | "signal" | "service">,
): Promise<TextReply> {
  const reply = await callModel(ports, { ...call, timeoutMs: CHECK_TIMEOUT_MS });
  if (reply.status === 401 || reply.status === 403) throw keyError(call.service, reply.status);
  return reply;
}

/**
 * The parsed answer.
 * @throws NodeError `model-key` (401, 403), `model-rate-limited` (429), `model` (other 4xx), `model-unavailable` (others,
 * and a 2xx that is not of the shape)
 */
export function readModelReply<T>(reply: TextReply, shape: z.ZodType<T>, service: ModelService): T {
  if (reply.status < 200 || reply.status >= 300) throw statusError(reply, service);
  let json: unknown;
  try {
    json = JSON.parse(reply.text);
  } catch {
    throw unusable(service);
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw unusable(service);
  return parsed.data;
}

/** The server answered, but with no answer of the model's in it. `why` is in our words. */
export function noAnswer(service: ModelService, why: string, hint: string): NodeError {
  return new NodeError("model-refused", `${service.name}: ${why}`, { retry: "never", hint });
}

/** A 2xx answer that is none. */
export function unusable({ name, urlSetting }: ModelService): NodeError {
  return new NodeError("model-unavailable", `${name}: the answer is not of the shape that its API promises`, {
    retry: "later",
    admitted: "unknown",
    hint: `Check that ${urlSetting} leads to the API itself.`,
  });
}

export function keyError({ name, keySetting }: ModelService, status: number): NodeError {
  return new NodeError("model-key", `${name} answered ${status} to the key`, {
    retry: "never",
    hint: `The key is wrong, revoked or may not use this model: set ${keySetting} to a working one.`,
  });
}

function statusError({ status, retryAfterMs }: TextReply, service: ModelService): NodeError {
  const message = `${service.name} answered ${status}`;
  const delay = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401 || status === 403) return keyError(service, status);
  if (status === 429) {
    const hint = "The provider limits requests or tokens. Serve fewer jobs at once, or raise the account's limits.";
    return new NodeError("model-rate-limited", message, { retry: "later", hint, ...delay });
  }
  if (status >= 500 || PASSING.includes(status)) {
    const hint = "The provider has trouble. The node tries again.";
    return new NodeError("model-unavailable", message, { retry: "later", admitted: "unknown", hint, ...delay });
  }
  if (status >= 300 && status < 400) {
    const hint = `It redirects, and requests with keys follow no redirect. Set ${service.urlSetting} to the final URL.`;
    return new NodeError("model-unavailable", message, { retry: "later", hint });
  }
  return new NodeError("model", message, {
    retry: "never",
    hint: "The model is unknown to this provider, account or region, or the prompt is too long for it.",
  });
}
