/**
 * A server that speaks the OpenAI-compatible text completions of vLLM and takes only the network's exact request (protocol
 * §5): the raw prompt, greedy sampling, 2048 tokens. With a context that is too small for those it refuses as vLLM does,
 * and takes what is left of the context instead.
 */
import * as z from "zod";
import { sha256Hex } from "../../core/crypto/sha256.ts";
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

export const LOCAL_MODEL = "facebook/opt-125m";

const MAX_TOKENS = 2048;
/** Large enough for the network's limit. */
const CONTEXT_TOKENS = 8_192;

const completionRequest = z.strictObject({
  model: z.string(),
  prompt: z.string(),
  temperature: z.literal(0),
  top_p: z.literal(1),
  top_k: z.literal(-1),
  seed: z.literal(42),
  max_tokens: z.int().min(1).max(MAX_TOKENS),
});

const tokenizeRequest = z.object({ model: z.string(), prompt: z.string() });

export interface CompletionsServerOptions extends ModelServerOptions {
  /** Prompt and answer together; 8192 by default. */
  contextTokens: number;
  /** Refuses callers without a valid bearer key; by default everyone is served, as a server on one's own machine does. */
  requireKey: boolean;
}

/** `POST /v1/completions`, `POST /tokenize` and `GET /v1/models`; OPENAI_BASE_URL is its URL, with or without `/v1`. */
export function createCompletionsServer(options: Partial<CompletionsServerOptions> = {}): ModelServer {
  const { models = [LOCAL_MODEL], contextTokens = CONTEXT_TOKENS, requireKey = false } = options;
  const { app, requests, respond, clock } = createModelShell({ ...options, models });
  const isAllowed = (key: string) => (requireKey ? isValidKey(key) : key === "" || isValidKey(key));
  app.use("*", (c, next) => {
    const open = c.req.path === "/health" || c.req.path.startsWith("/devnet/");
    return open || isAllowed(bearerOf(c.req.raw.headers))
      ? next()
      : respond(refusal(401, "Unauthorized", "Unauthorized"));
  });
  app.get("/v1/models", (c) => {
    const data = models.map((id) => ({
      id,
      object: "model",
      created: Math.floor(clock.now() / 1_000),
      owned_by: "vllm",
      root: id,
      parent: null,
      max_model_len: contextTokens,
    }));
    return c.json({ object: "list", data });
  });
  app.post("/tokenize", async (c) => {
    const parsed = tokenizeRequest.safeParse(await jsonOf(c.req.raw));
    if (!parsed.success) return c.json(refusal(400, "malformed", "BadRequestError").body as object, 400);
    const count = countTokens(parsed.data.prompt);
    return c.json({ count, max_model_len: contextTokens, tokens: Array.from({ length: count }, (_, index) => index) });
  });
  app.post("/v1/completions", async (c) => {
    const key = bearerOf(c.req.raw.headers);
    const body = await jsonOf(c.req.raw);
    return respond(await complete({ key, body, models, contextTokens, nowMs: clock.now() }));
  });
  return { app, requests };
}

async function complete(request: {
  key: string;
  body: unknown;
  models: readonly string[];
  contextTokens: number;
  nowMs: number;
}): Promise<ModelReply> {
  const { key, body, models, contextTokens, nowMs } = request;
  const parsed = completionRequest.safeParse(body);
  if (!parsed.success) return refusal(400, z.prettifyError(parsed.error), "BadRequestError");
  const { model, prompt, max_tokens: maxTokens } = parsed.data;
  if (!models.includes(model)) return refusal(404, "The model does not exist.", "NotFoundError");
  const used = countTokens(prompt);
  const room = contextTokens - used;
  if (maxTokens > room) {
    return refusal(
      400,
      `the context holds ${contextTokens} tokens, ${used + maxTokens} were asked for`,
      "BadRequestError",
    );
  }
  if (maxTokens !== Math.min(MAX_TOKENS, room)) {
    return refusal(400, `max_tokens must be ${MAX_TOKENS}, or all that is left of the context`, "BadRequestError");
  }
  const text = await modelAnswer(model, prompt, key);
  const answered = countTokens(text);
  return {
    model,
    body: {
      id: `cmpl-${(await sha256Hex(`${nowMs} ${prompt}`)).slice(0, 32)}`,
      object: "text_completion",
      created: Math.floor(nowMs / 1_000),
      model,
      choices: [{ index: 0, text, logprobs: null, finish_reason: "stop", stop_reason: null, prompt_logprobs: null }],
      usage: { prompt_tokens: used, completion_tokens: answered, total_tokens: used + answered },
    },
  };
}

function refusal(status: number, message: string, type: string): ModelRefusal {
  return { status, body: { error: { message, type, param: null, code: status } } };
}
