import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { NodeError } from "../errors.ts";
import { systemClock } from "../ports.ts";
import { type Answer, scriptedFetch } from "../scripted-fetch.ts";
import { Secret } from "../secret.ts";
import type { Backend } from "./backend.ts";
import { createGeminiBackend } from "./gemini.ts";
import { createGroqBackend } from "./groq.ts";

const GROQ_MODEL = "groq:llama-3.3-70b-versatile";
const GEMINI_MODEL = "gemini:gemini-2.5-flash";
const PROMPT = "the user's secret prompt";
const KEY = "gsk_secretkey";

type Made = { backend: Backend; received: ReturnType<typeof scriptedFetch>["received"] };

function groq(script: (Answer | Error)[], key = KEY, baseUrl = "https://api.groq.com/openai/v1"): Made {
  const { fetch, received } = scriptedFetch(...script);
  return { backend: createGroqBackend({ apiKey: new Secret(key), baseUrl, fetch, clock: systemClock }), received };
}

function gemini(script: (Answer | Error)[], key = KEY, baseUrl = "https://gemini.example/v1beta/"): Made {
  const { fetch, received } = scriptedFetch(...script);
  return { backend: createGeminiBackend({ apiKey: new Secret(key), baseUrl, fetch, clock: systemClock }), received };
}

const groqAnswer = (content: unknown): Answer => ({ json: { choices: [{ message: { content } }] } });
const geminiAnswer = (text: unknown, finishReason = "STOP"): Answer => ({
  json: { candidates: [{ content: { parts: [{ text }, { text: "more" }] }, finishReason }] },
});

/** Both clouds, for what they have in common. */
const CLOUDS = [
  ["Groq", groq, groqAnswer, GROQ_MODEL],
  ["Gemini", gemini, geminiAnswer, GEMINI_MODEL],
] as const;

async function failureOf(work: Promise<unknown>): Promise<NodeError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof NodeError)) throw new Error("no NodeError was thrown", { cause: error });
  expect(`${error.message} ${error.hint}`).not.toMatch(/secret/);
  return error;
}

describe.each(CLOUDS)("%s's key", (_name, make, _answer) => {
  it("is asked about without a model, and resolves where it is taken or nothing is said", async () => {
    for (const status of [200, 404, 500]) {
      const { backend, received } = make([{ status, json: {} }]);
      await backend.checkKey?.();
      expect(received.map(({ method, url }) => [method, url.replace(/^.*\//, "")])).toEqual([["GET", "models"]]);
    }
  });

  it.each([401, 403])("is named as refused on %i, with the setting to change", async (status) => {
    const error = await failureOf(make([{ status, json: {} }]).backend.checkKey?.() ?? Promise.resolve());
    expect(error).toMatchObject({ code: "model-key", retry: "never" });
    expect(error.hint).toMatch(/(GROQ|GOOGLE)_API_KEY/);
  });

  it("is no verdict where the provider cannot be reached", async () => {
    const error = await failureOf(make([new Error("down")]).backend.checkKey?.() ?? Promise.resolve());
    expect(error).toMatchObject({ code: "model-unavailable", retry: "later" });
  });
});

it("Gemini's own way of refusing a key is understood", async () => {
  const { backend } = gemini([{ status: 400, json: { error: { details: [{ reason: "API_KEY_INVALID" }] } } }]);
  expect((await failureOf(backend.checkKey?.() ?? Promise.resolve())).code).toBe("model-key");
});

describe("Groq", () => {
  it("is asked the network's request, to the byte of the prompt", async () => {
    const { backend, received } = groq([groqAnswer(" answer\n")]);
    expect(await backend.infer(GROQ_MODEL, "hello")).toBe(" answer\n");
    const [request] = received;
    expect([request?.method, request?.url]).toEqual(["POST", vectors.groq_ok.url]);
    expect(request?.headers).toMatchObject({ authorization: `Bearer ${KEY}`, "content-type": "application/json" });
    const wrapped = vectors.cloud_prompt.find(
      ({ model, prompt }) => model === GROQ_MODEL && prompt === "hello",
    )?.wrapped;
    const [system] = vectors.groq_ok.payload.messages;
    expect(JSON.parse(request?.body ?? "")).toEqual({
      ...vectors.groq_ok.payload,
      messages: [system, { role: "user", content: wrapped }],
    });
    expect(Object.keys(JSON.parse(request?.body ?? ""))).toEqual(Object.keys(vectors.groq_ok.payload));
  });

  it.each([null, undefined])("that gives %j for a text has refused", async (content) => {
    const failure = await failureOf(groq([groqAnswer(content)]).backend.infer(GROQ_MODEL, PROMPT));
    expect(failure).toMatchObject({ code: "model-refused", retry: "never" });
  });
});

describe("Gemini", () => {
  it("is asked the network's request, with the key in a header and not in the URL", async () => {
    const { backend, received } = gemini([geminiAnswer("text")]);
    expect(await backend.infer(GEMINI_MODEL, "hello")).toBe("text");
    const [request] = received;
    expect([request?.method, request?.url]).toEqual([
      "POST",
      "https://gemini.example/v1beta/models/gemini-2.5-flash:generateContent",
    ]);
    expect(request?.headers["x-goog-api-key"]).toBe(KEY);
    expect(request?.body).toBe(
      '{"contents":[{"role":"user","parts":[{"text":"[seed_anchor:27818879d5ea5731]\\n\\nhello"}]}],' +
        '"generationConfig":{"temperature":0,"maxOutputTokens":512}}',
    );
  });

  it("has answered with whatever text is there, as the other nodes take it", async () => {
    expect(await gemini([geminiAnswer("partial", "MAX_TOKENS")]).backend.infer(GEMINI_MODEL, PROMPT)).toBe("partial");
  });

  it.each([
    ["blocked the prompt", { promptFeedback: { blockReason: "PROHIBITED_CONTENT" } }, "PROHIBITED_CONTENT"],
    ["blocked the answer", { candidates: [{ finishReason: "SAFETY" }] }, "SAFETY"],
    ["sent no parts", { candidates: [{ content: { role: "model" }, finishReason: "STOP" }] }, "gave no text"],
    ["spent its tokens thinking", { candidates: [{ content: {}, finishReason: "MAX_TOKENS" }] }, "512 tokens"],
    ["sent no text part", { candidates: [{ content: { parts: [{}] }, finishReason: "STOP" }] }, "gave no text"],
    ["blocked a prompt beside no candidates", { candidates: [], promptFeedback: { blockReason: "SAFETY" } }, "SAFETY"],
    ["made up a reason", { candidates: [{ finishReason: "a secret reason" }] }, "unknown reason"],
  ])("that %s has refused", async (_name, json, message) => {
    const failure = await failureOf(gemini([{ json }]).backend.infer(GEMINI_MODEL, PROMPT));
    expect(failure).toMatchObject({ code: "model-refused", retry: "never" });
    expect(failure.message).toContain(message);
  });

  it.each([
    ["nothing at all", {}],
    ["no candidates", { candidates: [] }],
    ["no candidates and no reason to block", { candidates: [], promptFeedback: {} }],
    ["a candidate with neither text nor end", { candidates: [{ content: { parts: [{}] } }] }],
  ])("that sends %s has not spoken, and is asked again", async (_name, json) => {
    const failure = await failureOf(gemini([{ json }]).backend.infer(GEMINI_MODEL, PROMPT));
    expect(failure).toMatchObject({ code: "model-unavailable", retry: "later" });
  });

  it("says 400 to an unknown key, which is a matter of the key", async () => {
    const unknown = {
      status: 400,
      json: { error: { status: "INVALID_ARGUMENT", details: [{ reason: "API_KEY_INVALID" }] } },
    };
    expect((await failureOf(gemini([unknown]).backend.infer(GEMINI_MODEL, PROMPT))).code).toBe("model-key");
  });

  it.each(["../x", "a/b", "a?b", "a b", ".a", "a:b", ""])("is never asked for a model named %j", async (name) => {
    const { backend, received } = gemini([]);
    expect(await failureOf(backend.infer(`gemini:${name}`, PROMPT))).toMatchObject({ code: "model", retry: "never" });
    expect(received).toEqual([]);
  });
});

describe.each(CLOUDS)("%s", (_name, make, answer, model) => {
  it("gives an empty answer only where the model gave one", async () => {
    expect(await make([answer("")]).backend.infer(model, PROMPT)).toBe("");
  });

  it.each([
    [400, "model", "never"],
    [401, "model-key", "never"],
    [403, "model-key", "never"],
    [404, "model", "never"],
    [408, "model-unavailable", "later"],
    [413, "model", "never"],
    [429, "model-rate-limited", "later"],
    [498, "model-unavailable", "later"],
    [500, "model-unavailable", "later"],
    [503, "model-unavailable", "later"],
    [302, "model-unavailable", "later"],
  ])("answering %i is %s, %s", async (status, code, retry) => {
    const { backend, received } = make([{ status, text: `secret: ${PROMPT}`, headers: { "retry-after": "3" } }]);
    const failure = await failureOf(backend.infer(model, PROMPT));
    expect(failure).toMatchObject({ code, retry });
    expect(failure.retryAfterMs).toBe([429, 498, 408, 500, 503].includes(status) ? 3000 : undefined);
    expect(received.length).toBe(1);
  });

  it.each([
    ["no JSON", { text: `secret ${PROMPT}` }],
    ["another shape", { json: { choices: [], candidates: "secret" } }],
    ["a number for a text", answer(5)],
    ["a list for a text", answer(["secret"])],
  ])("answering with %s is worth another try", async (_what, reply) => {
    const failure = await failureOf(make([reply]).backend.infer(model, PROMPT));
    expect(failure).toMatchObject({ code: "model-unavailable", retry: "later" });
  });

  it("that cannot be reached is unavailable", async () => {
    const failure = await failureOf(make([new TypeError("secret cause")]).backend.infer(model, PROMPT));
    expect(failure).toMatchObject({ code: "model-unavailable", retry: "later", admitted: "unknown" });
  });

  it.each([`"${KEY}"`, ` '${KEY}'\n`, `${KEY}\r\n`])("takes the key out of %j", async (pasted) => {
    const { backend, received } = make([answer("x")], pasted);
    await backend.infer(model, PROMPT);
    const { authorization, "x-goog-api-key": google } = received[0]?.headers ?? {};
    expect(google ?? authorization?.replace("Bearer ", "")).toBe(KEY);
  });

  it.each(["", '""', "secret\nkey", "secret kéy"])("is not asked with the key %j", async (key) => {
    const { backend, received } = make([], key);
    expect(await failureOf(backend.infer(model, PROMPT))).toMatchObject({ code: "model-key", retry: "never" });
    expect(received).toEqual([]);
  });

  it("ends with the caller's reason when the caller gives up", async () => {
    const signal = AbortSignal.abort(new Error("the job's deadline"));
    await expect(make([answer("x")]).backend.infer(model, PROMPT, signal)).rejects.toThrow("the job's deadline");
  });

  it("is asked at another base URL where one is set", async () => {
    const { backend, received } = make([answer("x")], KEY, "http://127.0.0.1:9/base//");
    await backend.infer(model, PROMPT);
    expect(received[0]?.url).toMatch(/^http:\/\/127\.0\.0\.1:9\/base\/(chat\/completions|models\/gemini-2\.5-flash:)/);
  });
});
