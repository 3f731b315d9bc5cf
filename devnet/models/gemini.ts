/**
 * A server that speaks Gemini's generateContent and takes only the network's exact request (protocol §5). Refuses a key in
 * the URL, where every proxy would log it.
 */
import * as z from "zod";
import { sha256Hex } from "../../core/crypto/sha256.ts";
import { unwrapPrompt } from "./anchored.ts";
import { countTokens, isValidKey, modelAnswer } from "./answer.ts";
import {
  createModelShell,
  jsonOf,
  type ModelRefusal,
  type ModelReply,
  type ModelServer,
  type ModelServerOptions,
} from "./model-server.ts";

export const GEMINI_MODEL = "gemini-2.5-flash";

const generateRequest = z.strictObject({
  contents: z.tuple([
    z.strictObject({ role: z.literal("user"), parts: z.tuple([z.strictObject({ text: z.string() })]) }),
  ]),
  generationConfig: z.strictObject({ temperature: z.literal(0), maxOutputTokens: z.literal(512) }),
});

/** `POST /v1beta/models/MODEL:generateContent`; GEMINI_BASE_URL is its URL with `/v1beta`. */
export function createGeminiServer(options: Partial<ModelServerOptions> = {}): ModelServer {
  const { models = [GEMINI_MODEL] } = options;
  const { app, requests, respond, clock } = createModelShell({ ...options, models });
  app.post("/v1beta/models/:call", async (c) => {
    const [model = "", method] = c.req.param("call").split(":");
    const request = {
      model: method === "generateContent" && models.includes(model) ? model : null,
      keyInUrl: c.req.query("key") !== undefined,
      key: c.req.header("x-goog-api-key") ?? "",
      body: await jsonOf(c.req.raw),
      nowMs: clock.now(),
    };
    return respond(await generate(request));
  });
  app.get("/v1beta/models", (c) => {
    const key = c.req.header("x-goog-api-key") ?? "";
    if (!isValidKey(key)) return Response.json(INVALID_KEY.body, { status: INVALID_KEY.status });
    return c.json({ models: models.map((model) => ({ name: `models/${model}`, displayName: model })) });
  });
  return { app, requests };
}

const INVALID_KEY = refusal(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID");

async function generate(request: {
  model: string | null;
  keyInUrl: boolean;
  key: string;
  body: unknown;
  nowMs: number;
}): Promise<ModelReply> {
  const { model, keyInUrl, key, body, nowMs } = request;
  if (keyInUrl) return refusal(400, "INVALID_ARGUMENT", "the key belongs into the header x-goog-api-key");
  if (key === "") {
    return refusal(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers. Please use API Key.");
  }
  if (!isValidKey(key)) return INVALID_KEY;
  if (model === null) return refusal(404, "NOT_FOUND", "the model is not found or not supported for generateContent");
  const parsed = generateRequest.safeParse(body);
  if (!parsed.success) return refusal(400, "INVALID_ARGUMENT", z.prettifyError(parsed.error));
  const wrapped = parsed.data.contents[0].parts[0].text;
  const prompt = await unwrapPrompt(`gemini:${model}`, wrapped);
  if (prompt === null) return refusal(400, "INVALID_ARGUMENT", "the prompt's anchor is missing or wrong");
  const text = await modelAnswer(model, prompt, key);
  const usage = { promptTokenCount: countTokens(wrapped), candidatesTokenCount: countTokens(text) };
  return {
    model,
    body: {
      candidates: [{ content: { role: "model", parts: [{ text }] }, finishReason: "STOP", index: 0 }],
      usageMetadata: { ...usage, totalTokenCount: usage.promptTokenCount + usage.candidatesTokenCount },
      modelVersion: model,
      responseId: (await sha256Hex(`${nowMs} ${wrapped}`)).slice(0, 22),
    },
  };
}

function refusal(code: number, status: string, message: string, reason?: string): ModelRefusal {
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" };
  return {
    status: code,
    body: { error: { code, message, status, ...(reason === undefined ? {} : { details: [info] }) } },
  };
}
