/**
 * Google's Gemini API, for `gemini:MODEL` (protocol §5). The key travels in a header, never in the URL. A text that is
 * there is the answer, whatever the finish reason: the other nodes commit to it too.
 */
import * as z from "zod";
import { NodeError } from "../errors.ts";
import { headerKey } from "./api-key.ts";
import type { Backend } from "./backend.ts";
import {
  askAboutKey,
  type CloudConfig,
  callModel,
  keyError,
  noAnswer,
  readModelReply,
  unusable,
} from "./model-call.ts";
import { anchorPrompt } from "./prompt.ts";

const SERVICE = { name: "Gemini", keySetting: "GOOGLE_API_KEY", urlSetting: "GEMINI_BASE_URL" };
const TIMEOUT_MS = 60_000;
const PREFIX = "gemini:";

const part = z.object({ text: z.string().optional() });
const candidate = z.object({
  content: z.object({ parts: z.array(part).optional() }).optional(),
  finishReason: z.string().optional(),
});
const generation = z.object({
  candidates: z.array(candidate).optional(),
  promptFeedback: z.object({ blockReason: z.string().optional() }).optional(),
});
type Generation = z.infer<typeof generation>;

export function createGeminiBackend(config: CloudConfig): Backend {
  const baseUrl = config.baseUrl.replace(/\/+$/, "");
  const headers = () => ({ "x-goog-api-key": headerKey(config.apiKey, SERVICE.keySetting) });
  return {
    name: "gemini",
    async checkKey(signal) {
      const reply = await askAboutKey(config, {
        url: `${baseUrl}/models`,
        headers: headers(),
        signal,
        service: SERVICE,
      });
      if (isUnknownKey(reply)) throw keyError(SERVICE, reply.status);
    },
    async infer(modelId, prompt, signal) {
      const model = pathModel(modelId.slice(PREFIX.length));
      const reply = await callModel(config, {
        url: `${baseUrl}/models/${model}:generateContent`,
        headers: headers(),
        body: geminiBody(await anchorPrompt(modelId, prompt)),
        timeoutMs: config.timeoutMs ?? TIMEOUT_MS,
        signal,
        service: SERVICE,
      });
      if (isUnknownKey(reply)) throw keyError(SERVICE, reply.status);
      return answerOf(readModelReply(reply, generation, SERVICE));
    },
  };
}

/** Google answers 400, not 401, to a key that it does not know. */
function isUnknownKey({ status, text }: { status: number; text: string }): boolean {
  return status === 400 && text.includes("API_KEY_INVALID");
}

/** The request's body (protocol §5); `wrapped` is the anchored prompt. */
export function geminiBody(wrapped: string) {
  return {
    contents: [{ role: "user", parts: [{ text: wrapped }] }],
    generationConfig: { temperature: 0, maxOutputTokens: 512 },
  };
}

function answerOf({ candidates, promptFeedback }: Generation): string {
  const first = candidates?.[0];
  const text = first?.content?.parts?.[0]?.text;
  if (text !== undefined) return text;
  if (promptFeedback?.blockReason !== undefined) {
    throw noAnswer(SERVICE, `the prompt was blocked (${constant(promptFeedback.blockReason)})`, BLOCKED);
  }
  const reason = first?.finishReason;
  // Neither a text, nor a block, nor an end: the API has not spoken, and only a certain no may cost the job.
  if (reason === undefined) throw unusable(SERVICE);
  if (reason === "MAX_TOKENS") {
    throw noAnswer(SERVICE, "the model spent all 512 tokens before its answer began (MAX_TOKENS)", THINKING);
  }
  const why = reason === "STOP" ? "the model gave no text" : `no text (${constant(reason)})`;
  throw noAnswer(SERVICE, why, BLOCKED);
}

const BLOCKED = "The provider's filters or the model refused this prompt; nothing to do on this node.";
const THINKING =
  "The network's limit is too small for this model's thinking: serve a model that does not think, with BLF_MODELS.";

/** A reason is one of the API's constants; anything else is not repeated. */
function constant(reason: string): string {
  return /^[A-Z_]{1,40}$/.test(reason) ? reason : "unknown reason";
}

/** A model's name as one segment of the URL. */
function pathModel(model: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(model)) return model;
  throw new NodeError("model", "Gemini: the model's name cannot be part of a URL", {
    retry: "never",
    hint: "Name the model as the API lists it, such as gemini:gemini-2.5-flash.",
  });
}
