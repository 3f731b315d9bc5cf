import { describe, expect, it } from "vitest";
import { createGeminiBackend } from "../../core/inference/gemini.ts";
import { createGroqBackend } from "../../core/inference/groq.ts";
import { createOpenaiBackend, listModels } from "../../core/inference/openai-completions.ts";
import { anchorPrompt } from "../../core/inference/prompt.ts";
import { systemClock } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { modelAnswer } from "./answer.ts";
import { createCompletionsServer, LOCAL_MODEL } from "./completions.ts";
import { createGeminiServer, GEMINI_MODEL } from "./gemini.ts";
import { createGroqServer, GROQ_MODEL } from "./groq.ts";
import type { ModelServer } from "./model-server.ts";

const PROMPT = "Why is the sky blue?\nIn one line, please.";
const SYSTEM = "You are a helpful assistant. Answer the user's question directly and accurately. Be concise.";

async function groqBody() {
  const wrapped = await anchorPrompt(`groq:${GROQ_MODEL}`, PROMPT);
  const messages = [
    { role: "system", content: SYSTEM },
    { role: "user", content: wrapped },
  ];
  return { model: GROQ_MODEL, messages, temperature: 0.0, max_completion_tokens: 512, seed: 42 };
}

async function geminiBody() {
  const text = await anchorPrompt(`gemini:${GEMINI_MODEL}`, PROMPT);
  return {
    contents: [{ role: "user", parts: [{ text }] }],
    generationConfig: { temperature: 0.0, maxOutputTokens: 512 },
  };
}

const localBody = () => ({
  model: LOCAL_MODEL,
  prompt: PROMPT,
  temperature: 0,
  top_p: 1,
  top_k: -1,
  seed: 42,
  max_tokens: 2048,
});

/** Core's backends take a fetch; this one ends in the server. */
const fetchOf =
  (server: ModelServer): typeof fetch =>
  async (input, init) =>
    server.app.fetch(new Request(input, init));

async function post(server: ModelServer, path: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await server.app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

describe("answers", () => {
  it("are the same for every key but a wrong one, and differ by model and prompt", async () => {
    const answer = await modelAnswer("m", "p", "key-1");
    expect(await modelAnswer("m", "p", "key-2")).toBe(answer);
    const others = [await modelAnswer("m", "p", "wrong-key"), await modelAnswer("n", "p"), await modelAnswer("m", "q")];
    expect(new Set([answer, ...others]).size).toBe(4);
  });

  it("hold the white space that Python and JavaScript treat differently", async () => {
    const answer = await modelAnswer("m", PROMPT);
    expect(answer).toContain("\u001c");
    expect(answer).toContain("\ufeff");
    expect(answer).toContain("Why is the sky blue? In one line,");
  });
});

describe("core's backends", () => {
  const ports = { clock: systemClock };
  const key = (text: string) => new Secret(text);

  it.each(["gsk-1", "wrong-1"])("get Groq's answer with the key %s", async (apiKey) => {
    const server = createGroqServer();
    const backend = createGroqBackend({
      ...ports,
      fetch: fetchOf(server),
      apiKey: key(apiKey),
      baseUrl: "http://127.0.0.1/openai/v1",
    });
    expect(await backend.infer(`groq:${GROQ_MODEL}`, PROMPT)).toBe(await modelAnswer(GROQ_MODEL, PROMPT, apiKey));
    expect(server.requests()).toMatchObject({ total: 1, answered: 1, refused: 0, byModel: { [GROQ_MODEL]: 1 } });
  });

  it("get Gemini's answer", async () => {
    const server = createGeminiServer();
    const backend = createGeminiBackend({
      ...ports,
      fetch: fetchOf(server),
      apiKey: key("AIza-1"),
      baseUrl: "http://127.0.0.1/v1beta",
    });
    expect(await backend.infer(`gemini:${GEMINI_MODEL}`, PROMPT)).toBe(await modelAnswer(GEMINI_MODEL, PROMPT));
  });

  it("get a local server's models and answer, also where its context is too small for 2048 tokens", async () => {
    for (const contextTokens of [8_192, 1_024]) {
      const server = createCompletionsServer({ contextTokens });
      const config = { ...ports, fetch: fetchOf(server), baseUrl: "http://127.0.0.1" };
      expect(await listModels(config)).toEqual([LOCAL_MODEL]);
      expect(await createOpenaiBackend(config).infer(LOCAL_MODEL, PROMPT)).toBe(await modelAnswer(LOCAL_MODEL, PROMPT));
    }
  });
});

describe("the Groq server", () => {
  const path = "/openai/v1/chat/completions";
  const bearer = { authorization: "Bearer gsk-1" };

  it("answers in the API's own shape", async () => {
    const { status, json } = await post(createGroqServer(), path, await groqBody(), bearer);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-/),
      object: "chat.completion",
      created: expect.any(Number),
      model: GROQ_MODEL,
      choices: [{ index: 0, message: { role: "assistant", content: expect.any(String) }, finish_reason: "stop" }],
      usage: { total_tokens: expect.any(Number) },
    });
  });

  it.each([{}, { authorization: "gsk-1" }, { authorization: "Bearer " }, { authorization: "Bearer revoked-1" }])(
    "refuses the key in %o with 401",
    async (headers) => {
      const server = createGroqServer();
      const { status, json } = await post(server, path, await groqBody(), headers as Record<string, string>);
      expect(status).toBe(401);
      expect(json).toMatchObject({ error: { code: "invalid_api_key" } });
      expect(server.requests()).toMatchObject({ refused: 1, byStatus: { 401: 1 } });
    },
  );

  type Body = Awaited<ReturnType<typeof groqBody>>;
  const faults: { name: string; change: (body: Body) => unknown; status: number }[] = [
    { name: "another temperature", change: (body) => ({ ...body, temperature: 0.1 }), status: 400 },
    { name: "another seed", change: (body) => ({ ...body, seed: 43 }), status: 400 },
    { name: "no seed", change: ({ seed: _seed, ...body }) => body, status: 400 },
    {
      name: "max_tokens instead",
      change: ({ max_completion_tokens: max_tokens, ...body }) => ({ ...body, max_tokens }),
      status: 400,
    },
    { name: "an extra field", change: (body) => ({ ...body, top_p: 1 }), status: 400 },
    { name: "no system message", change: (body) => ({ ...body, messages: body.messages.slice(1) }), status: 400 },
    {
      name: "messages in another order",
      change: (body) => ({ ...body, messages: body.messages.toReversed() }),
      status: 400,
    },
    { name: "an unwrapped prompt", change: (body) => withPrompt(body, PROMPT), status: 400 },
    {
      name: "another prompt's anchor",
      change: (body) => withPrompt(body, `${body.messages[1]?.content} `),
      status: 400,
    },
    { name: "an unknown model", change: (body) => ({ ...body, model: "llama-9" }), status: 404 },
    { name: "something else than JSON", change: () => "text", status: 400 },
  ];
  it.each(faults)("refuses $name with $status", async ({ change, status }) => {
    expect((await post(createGroqServer(), path, change(await groqBody()), bearer)).status).toBe(status);
  });

  function withPrompt(body: Body, content: string) {
    return { ...body, messages: [body.messages[0], { role: "user", content }] };
  }
});

describe("the Gemini server", () => {
  const path = `/v1beta/models/${GEMINI_MODEL}:generateContent`;
  const headers = { "x-goog-api-key": "AIza-1" };

  it("answers in the API's own shape", async () => {
    const { status, json } = await post(createGeminiServer(), path, await geminiBody(), headers);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      candidates: [
        { content: { role: "model", parts: [{ text: expect.any(String) }] }, finishReason: "STOP", index: 0 },
      ],
      usageMetadata: { totalTokenCount: expect.any(Number) },
      modelVersion: GEMINI_MODEL,
    });
  });

  type Body = Awaited<ReturnType<typeof geminiBody>>;
  interface Fault {
    name: string;
    path?: string;
    headers?: Record<string, string>;
    change?: (body: Body) => unknown;
    status: number;
  }
  const faults: Fault[] = [
    { name: "no key", headers: {}, status: 403 },
    { name: "a revoked key", headers: { "x-goog-api-key": "revoked-1" }, status: 400 },
    { name: "a key in the URL", path: `${path}?key=AIza-1`, status: 400 },
    { name: "an unknown model", path: path.replace("flash", "dash"), status: 404 },
    { name: "another method", path: path.replace("generateContent", "countTokens"), status: 404 },
    { name: "a system instruction", change: (body) => ({ ...body, systemInstruction: {} }), status: 400 },
    { name: "no role", change: () => ({ contents: [{ parts: [{ text: "x" }] }] }), status: 400 },
    {
      name: "another temperature",
      change: (body) => ({ ...body, generationConfig: { temperature: 1, maxOutputTokens: 512 } }),
      status: 400,
    },
    {
      name: "an unwrapped prompt",
      change: (body) => ({ ...body, contents: [{ role: "user", parts: [{ text: PROMPT }] }] }),
      status: 400,
    },
  ];
  it.each(faults)("refuses $name with $status", async (fault) => {
    const body = await geminiBody();
    const sent = fault.change === undefined ? body : fault.change(body);
    expect((await post(createGeminiServer(), fault.path ?? path, sent, fault.headers ?? headers)).status).toBe(
      fault.status,
    );
  });
});

describe("the completions server", () => {
  const path = "/v1/completions";

  it("answers in the API's own shape", async () => {
    const { status, json } = await post(createCompletionsServer(), path, localBody());
    expect(status).toBe(200);
    expect(json).toMatchObject({
      id: expect.stringMatching(/^cmpl-/),
      object: "text_completion",
      model: LOCAL_MODEL,
      choices: [{ index: 0, text: expect.any(String), finish_reason: "stop" }],
      usage: { total_tokens: expect.any(Number) },
    });
  });

  it.each([
    ["another temperature", { temperature: 1 }, 400],
    ["another top_p", { top_p: 0.9 }, 400],
    ["another top_k", { top_k: 40 }, 400],
    ["another seed", { seed: 7 }, 400],
    ["fewer tokens than there is room for", { max_tokens: 512 }, 400],
    ["an extra field", { stream: false }, 400],
    ["a list of prompts", { prompt: [PROMPT] }, 400],
    ["an unknown model", { model: "gpt2" }, 404],
  ])("refuses %s", async (_, more, status) => {
    expect((await post(createCompletionsServer(), path, { ...localBody(), ...more })).status).toBe(status);
  });

  it("asks for a key only where it is told to, and never takes a revoked one", async () => {
    const open = createCompletionsServer();
    expect((await post(open, path, localBody(), { authorization: "Bearer revoked-1" })).status).toBe(401);
    const closed = createCompletionsServer({ requireKey: true });
    expect((await post(closed, path, localBody())).status).toBe(401);
    expect((await post(closed, path, localBody(), { authorization: "Bearer sk-1" })).status).toBe(200);
    expect((await closed.app.request("/v1/models")).status).toBe(401);
  });
});

describe("every model server", () => {
  it("takes as long as it is told to, counts what it did, and misbehaves on demand", async () => {
    const slept: number[] = [];
    const clock = { now: () => 0, sleep: async (ms: number) => void slept.push(ms) };
    const server = createCompletionsServer({ latencyMs: 1_500, clock });
    await post(server, "/v1/completions", localBody());
    await post(server, "/v1/completions", { ...localBody(), seed: 1 });
    expect(slept).toEqual([1_500]);
    expect(await (await server.app.request("/devnet/requests")).json()).toEqual({
      total: 2,
      answered: 1,
      refused: 1,
      byModel: { [LOCAL_MODEL]: 1 },
      byStatus: { 400: 1 },
    });
    await post(server, "/devnet/faults", { path: "completions", mode: "status", status: 429, retryAfterSec: 1 });
    expect((await post(server, "/v1/completions", localBody())).status).toBe(429);
  });
});
