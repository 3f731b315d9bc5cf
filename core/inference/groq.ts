/** Groq's cloud, for `groq:MODEL` (protocol §5). Every node of a quorum sends this very request. */
import * as z from "zod";
import type { Secret } from "../secret.ts";
import { headerKey } from "./api-key.ts";
import type { Backend, BackendPorts } from "./backend.ts";
import { CHECK_TIMEOUT_MS, callModel, keyError, noAnswer, readModelReply } from "./model-call.ts";
import { anchorPrompt } from "./prompt.ts";

export interface GroqConfig extends BackendPorts {
  apiKey: Secret;
  baseUrl: string;
  /** ms; 60 s by default. */
  timeoutMs?: number;
}

const SERVICE = { name: "Groq", keySetting: "GROQ_API_KEY", urlSetting: "GROQ_BASE_URL" };
const TIMEOUT_MS = 60_000;
const PREFIX = "groq:";
const SYSTEM = "You are a helpful assistant. Answer the user's question directly and accurately. Be concise.";

const completion = z.object({
  choices: z.tuple([z.object({ message: z.object({ content: z.string().nullish() }) })], z.unknown()),
});

export function createGroqBackend(config: GroqConfig): Backend {
  const baseUrl = config.baseUrl.replace(/\/+$/, "");
  const headers = () => ({ Authorization: `Bearer ${headerKey(config.apiKey, SERVICE.keySetting)}` });
  return {
    name: "groq",
    async checkKey(signal) {
      const call = {
        url: `${baseUrl}/models`,
        headers: headers(),
        timeoutMs: CHECK_TIMEOUT_MS,
        signal,
        service: SERVICE,
      };
      const { status } = await callModel(config, call);
      if (status === 401 || status === 403) throw keyError(SERVICE, status);
    },
    async infer(modelId, prompt, signal) {
      const reply = await callModel(config, {
        url: `${baseUrl}/chat/completions`,
        headers: headers(),
        body: groqBody(modelId.slice(PREFIX.length), await anchorPrompt(modelId, prompt)),
        timeoutMs: config.timeoutMs ?? TIMEOUT_MS,
        signal,
        service: SERVICE,
      });
      const { content } = readModelReply(reply, completion, SERVICE).choices[0].message;
      if (typeof content === "string") return content;
      throw noAnswer(SERVICE, "the model gave no text", "The model refused or only called tools; nothing to do.");
    },
  };
}

/** The request's body (protocol §5); `wrapped` is the anchored prompt. */
export function groqBody(model: string, wrapped: string) {
  return {
    model,
    messages: [
      { role: "system", content: SYSTEM },
      { role: "user", content: wrapped },
    ],
    temperature: 0,
    max_completion_tokens: 512,
    seed: 42,
  };
}
