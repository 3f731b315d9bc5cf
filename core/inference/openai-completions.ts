/**
 * A local model on an OpenAI-compatible server, vLLM above all (protocol §5): the raw prompt, no wrapper, no template.
 * The server refuses 2048 tokens where the context has less room, and the network's in-process vLLM stops at its end; so
 * a 400 is answered once with what is left of the context, which gives the same text.
 */
import * as z from "zod";
import { NodeError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { headerKey } from "./api-key.ts";
import type { Backend, BackendPorts } from "./backend.ts";
import { callModel, noAnswer, readModelReply } from "./model-call.ts";

export interface OpenaiConfig extends BackendPorts {
  /** With or without the version at its end, as `https://host/v1`. */
  baseUrl: string;
  apiKey?: Secret;
  /** ms; 120 s by default. */
  timeoutMs?: number;
}

const SERVICE = { name: "the model server", keySetting: "OPENAI_API_KEY", urlSetting: "OPENAI_BASE_URL" };
const TIMEOUT_MS = 120_000;
const SHORT_TIMEOUT_MS = 10_000;
const MAX_TOKENS = 2048;

const completion = z.object({ choices: z.tuple([z.object({ text: z.string().nullish() })], z.unknown()) });
const modelList = z.object({ data: z.array(z.object({ id: z.string().min(1).max(512) })) });
/** vLLM's own call; servers that lack it answer something else. */
const tokenCount = z.object({ count: z.number().int().positive(), max_model_len: z.number().int().positive() });

export function createOpenaiBackend(config: OpenaiConfig): Backend {
  return {
    name: "openai",
    async infer(model, prompt, signal) {
      const send = (maxTokens: number) =>
        callModel(config, {
          url: `${versioned(config.baseUrl)}/completions`,
          headers: authorization(config),
          body: completionBody(model, prompt, maxTokens),
          timeoutMs: config.timeoutMs ?? TIMEOUT_MS,
          signal,
          service: SERVICE,
        });
      let reply = await send(MAX_TOKENS);
      if (reply.status === 400) {
        const room = await contextRoom(config, model, prompt, signal);
        if (room !== null) reply = await send(room);
      }
      const { text } = readModelReply(reply, completion, SERVICE).choices[0];
      if (typeof text === "string") return text;
      throw noAnswer(SERVICE, "the model gave no text", "Check that the server offers text completions.");
    },
  };
}

/** Ids of the models that the server has, in its order. Throws NodeError `model*`. */
export async function listModels(config: OpenaiConfig, signal?: AbortSignal): Promise<string[]> {
  const reply = await callModel(config, {
    url: `${versioned(config.baseUrl)}/models`,
    headers: authorization(config),
    timeoutMs: SHORT_TIMEOUT_MS,
    signal,
    service: SERVICE,
  });
  return [...new Set(readModelReply(reply, modelList, SERVICE).data.map(({ id }) => id))];
}

/** The request's body (protocol §5). */
export function completionBody(model: string, prompt: string, maxTokens: number = MAX_TOKENS) {
  return { model, prompt, temperature: 0, top_p: 1, top_k: -1, seed: 42, max_tokens: maxTokens };
}

/** Tokens left after the prompt, where that is less than the network's limit; null where it is not, or is not known. */
async function contextRoom(
  config: OpenaiConfig,
  model: string,
  prompt: string,
  signal?: AbortSignal,
): Promise<number | null> {
  // Without an answer the server's 400 must not become final: this throws, and all of it is tried again later.
  const reply = await callModel(config, {
    url: `${versioned(config.baseUrl).replace(/\/v\d+$/, "")}/tokenize`,
    headers: authorization(config),
    body: { model, prompt },
    timeoutMs: SHORT_TIMEOUT_MS,
    signal,
    service: SERVICE,
  });
  try {
    const { count, max_model_len } = readModelReply(reply, tokenCount, SERVICE);
    const room = max_model_len - count;
    return room > 0 && room < MAX_TOKENS ? room : null;
  } catch (error) {
    if (error instanceof NodeError && error.retry === "later" && reply.status >= 400) throw error;
    return null;
  }
}

function versioned(baseUrl: string): string {
  const base = baseUrl.replace(/\/+$/, "");
  return /\/v\d+$/.test(base) ? base : `${base}/v1`;
}

function authorization({ apiKey }: OpenaiConfig): Record<string, string> {
  return apiKey === undefined ? {} : { Authorization: `Bearer ${headerKey(apiKey, SERVICE.keySetting)}` };
}
