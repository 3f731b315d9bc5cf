/**
 * A server that speaks Groq's chat completions and takes only the network's exact request (protocol §5): an extra field or
 * another temperature would make a real model answer differently from the other nodes'.
 */
import * as z from "zod";
import { sha256Hex } from "../../core/crypto/sha256.ts";
import { unwrapPrompt } from "./anchored.ts";
import { countTokens, isValidKey, modelAnswer } from "./answer.ts";
import {
  bearerOf,
  createModelShell,
  jsonOf,
  type ModelRefusal,
  type ModelReply,
  type ModelServer,
  type ModelServerOptions,
} from "./model-server.ts";

export const GROQ_MODEL = "llama-3.3-70b-versatile";

const SYSTEM = "You are a helpful assistant. Answer the user's question directly and accurately. Be concise.";

const chatRequest = z.strictObject({
  model: z.string(),
  messages: z.tuple([
    z.strictObject({ role: z.literal("system"), content: z.literal(SYSTEM) }),
    z.strictObject({ role: z.literal("user"), content: z.string() }),
  ]),
  temperature: z.literal(0),
  max_completion_tokens: z.literal(512),
  seed: z.literal(42),
});

/** `POST /openai/v1/chat/completions` and `GET /openai/v1/models`; GROQ_BASE_URL is its URL with `/openai/v1`. */
export function createGroqServer(options: Partial<ModelServerOptions> = {}): ModelServer {
  const { models = [GROQ_MODEL] } = options;
  const { app, requests, respond, clock } = createModelShell({ ...options, models });
  app.post("/openai/v1/chat/completions", async (c) => {
    const key = bearerOf(c.req.raw.headers);
    const body = await jsonOf(c.req.raw);
    return respond(await complete({ key, body, models, nowMs: clock.now() }));
  });
  app.get("/openai/v1/models", (c) => {
    const key = bearerOf(c.req.raw.headers);
    if (!isValidKey(key)) return Response.json(INVALID_KEY.body, { status: INVALID_KEY.status });
    const data = models.map((id) => ({ id, object: "model", created: 0, owned_by: "devnet", active: true }));
    return c.json({ object: "list", data });
  });
  return { app, requests };
}

const INVALID_KEY = refusal(401, "Invalid API Key", "invalid_request_error", "invalid_api_key");

async function complete(request: {
  key: string;
  body: unknown;
  models: readonly string[];
  nowMs: number;
}): Promise<ModelReply> {
  const { key, body, models, nowMs } = request;
  if (!isValidKey(key)) return INVALID_KEY;
  const parsed = chatRequest.safeParse(body);
  if (!parsed.success) return refusal(400, z.prettifyError(parsed.error), "invalid_request_error");
  const { model, messages } = parsed.data;
  if (!models.includes(model)) {
    return refusal(
      404,
      "The model does not exist or you do not have access to it.",
      "invalid_request_error",
      "model_not_found",
    );
  }
  const wrapped = messages[1].content;
  const prompt = await unwrapPrompt(`groq:${model}`, wrapped);
  if (prompt === null) return refusal(400, "the prompt's anchor is missing or wrong", "invalid_request_error");
  const content = await modelAnswer(model, prompt, key);
  const usage = { prompt_tokens: countTokens(SYSTEM + wrapped), completion_tokens: countTokens(content) };
  return {
    model,
    body: {
      id: `chatcmpl-${(await sha256Hex(`${nowMs} ${wrapped}`)).slice(0, 24)}`,
      object: "chat.completion",
      created: Math.floor(nowMs / 1_000),
      model,
      choices: [{ index: 0, message: { role: "assistant", content }, logprobs: null, finish_reason: "stop" }],
      usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens, queue_time: 0, total_time: 0 },
      system_fingerprint: "fp_devnet",
      x_groq: { id: "req_devnet" },
    },
  };
}

function refusal(status: number, message: string, type: string, code?: string): ModelRefusal {
  return { status, body: { error: { message, type, ...(code === undefined ? {} : { code }) } } };
}
