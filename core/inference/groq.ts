/** Groq's cloud, for `groq:MODEL` (protocol §5). Every node of a quorum sends this very request. */
import * as z from "zod";
import { headerKey } from "./api-key.ts";
import type { Backend } from "./backend.ts";
import { askAboutKey, type CloudConfig, callModel, noAnswer, readModelReply } from "./model-call.ts";
import { anchorPrompt } from "./prompt.ts";

const SERVICE = { name: "Groq", keySetting: "GROQ_API_KEY", urlSetting: "GROQ_BASE_URL" };
const TIMEOUT_MS = 60_000;
const PREFIX = "groq:";
const SYSTEM = "You are a helpful assistant. Answer the user's question directly and accurately. Be concise.";

const completion = z.object({
  choices: z.tuple([z.object({ message: z.object({ content: z.string().nullish() }) })], z.unknown()),
});

export function createGroqBackend(config: CloudConfig): Backend {
  const baseUrl = config.baseUrl.replace(/\/+$/, "");
  const headers = () => ({ Authorization: `Bearer ${headerKey(config.apiKey, SERVICE.keySetting)}` });
  return {
    name: "groq",
    async checkKey(signal) {
      await askAboutKey(config, { url: `${baseUrl}/models`, headers: headers(), signal, service: SERVICE });
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
