import { describe, expect, it } from "vitest";
import { systemClock } from "../ports.ts";
import { type Answer, scriptedFetch } from "../scripted-fetch.ts";
import { Secret } from "../secret.ts";
import { createOpenaiBackend, listModels } from "./openai-completions.ts";

const MODEL = "facebook/opt-125m";
const PROMPT = "line 1\nline 2 é";
const BODY = {
  model: MODEL,
  prompt: PROMPT,
  temperature: 0,
  top_p: 1,
  top_k: -1,
  seed: 42,
  max_tokens: 2048,
};

function server(baseUrl: string, ...script: (Answer | Error)[]) {
  const { fetch, received } = scriptedFetch(...script);
  const config = { baseUrl, fetch, clock: systemClock };
  return { config, backend: createOpenaiBackend(config), received };
}

const completion = (text: unknown): Answer => ({ json: { choices: [{ text, finish_reason: "stop" }] } });

describe("a local model", () => {
  it.each([
    ["http://gpu.example:8000", "http://gpu.example:8000/v1/completions"],
    ["http://gpu.example:8000/", "http://gpu.example:8000/v1/completions"],
    ["http://gpu.example:8000/v1", "http://gpu.example:8000/v1/completions"],
    ["https://gpu.example/api/v1/", "https://gpu.example/api/v1/completions"],
  ])("behind %s is asked at %s, with the raw prompt and the network's parameters", async (baseUrl, url) => {
    const { backend, received } = server(baseUrl, completion(" answer\n"));
    expect(await backend.infer(MODEL, PROMPT)).toBe(" answer\n");
    expect(received.map((request) => [request.method, request.url, JSON.parse(request.body)])).toEqual([
      ["POST", url, BODY],
    ]);
    expect(received[0]?.headers).not.toHaveProperty("authorization");
  });

  it("is asked with a key where there is one", async () => {
    const { config, received } = server("https://gpu.example", completion("x"));
    await createOpenaiBackend({ ...config, apiKey: new Secret('"k1"') }).infer(MODEL, PROMPT);
    expect(received[0]?.headers.authorization).toBe("Bearer k1");
  });

  it("gives an empty answer only where it said so", async () => {
    expect(await server("https://gpu.example", completion("")).backend.infer(MODEL, PROMPT)).toBe("");
    await expect(server("https://gpu.example", completion(null)).backend.infer(MODEL, PROMPT)).rejects.toMatchObject({
      code: "model-refused",
    });
  });

  it.each([
    [404, "model", "never"],
    [401, "model-key", "never"],
    [429, "model-rate-limited", "later"],
    [503, "model-unavailable", "later"],
  ])("answering %i is %s, %s", async (status, code, retry) => {
    const { backend, received } = server("https://gpu.example", { status });
    await expect(backend.infer(MODEL, PROMPT)).rejects.toMatchObject({ code, retry });
    expect(received.length).toBe(1);
  });
});

describe("a local model with a short context", () => {
  const tooLong = { status: 400, json: { error: { message: "maximum context length is 2048 tokens" } } };

  it("is asked again for exactly the tokens that are left", async () => {
    const count = { json: { count: 12, max_model_len: 2048, tokens: [] } };
    const { backend, received } = server("https://gpu.example/v1", tooLong, count, completion("cut"));
    expect(await backend.infer(MODEL, PROMPT)).toBe("cut");
    expect(received.map((request) => [request.url, JSON.parse(request.body)])).toEqual([
      ["https://gpu.example/v1/completions", BODY],
      ["https://gpu.example/tokenize", { model: MODEL, prompt: PROMPT }],
      ["https://gpu.example/v1/completions", { ...BODY, max_tokens: 2036 }],
    ]);
  });

  it.each([
    ["whose prompt fills it", { json: { count: 2048, max_model_len: 2048 } }],
    ["that had room enough, so that the refusal had another reason", { json: { count: 10, max_model_len: 4096 } }],
    ["on a server that counts no tokens", { status: 404 }],
    ["on a server that answers something else", { json: { tokens: [1, 2] } }],
  ])("%s stays refused", async (_name, count) => {
    const { backend, received } = server("https://gpu.example", tooLong, count);
    await expect(backend.infer(MODEL, PROMPT)).rejects.toMatchObject({ code: "model", retry: "never" });
    expect(received.length).toBe(2);
  });

  it.each([
    ["breaks down", new TypeError("lost")],
    ["is overloaded", { status: 503 }],
  ])("on a server that %s meanwhile is asked again later", async (_name, count) => {
    const { backend } = server("https://gpu.example", tooLong, count);
    await expect(backend.infer(MODEL, PROMPT)).rejects.toMatchObject({ code: "model-unavailable", retry: "later" });
  });

  it("is asked only once more", async () => {
    const count = { json: { count: 12, max_model_len: 2048 } };
    const { backend, received } = server("https://gpu.example", tooLong, count, tooLong);
    await expect(backend.infer(MODEL, PROMPT)).rejects.toMatchObject({ code: "model" });
    expect(received.length).toBe(3);
  });
});

describe("the list of local models", () => {
  it("names each model once, in the server's order", async () => {
    const json = { object: "list", data: [{ id: "b", object: "model" }, { id: "a" }, { id: "b" }] };
    const { config, received } = server("https://gpu.example", { json });
    expect(await listModels({ ...config, apiKey: new Secret("k1") })).toEqual(["b", "a"]);
    expect(received).toMatchObject([
      { method: "GET", url: "https://gpu.example/v1/models", body: "", headers: { authorization: "Bearer k1" } },
    ]);
  });

  it.each([
    [{ status: 401 }, "model-key"],
    [{ json: { data: [{ name: "a" }] } }, "model-unavailable"],
    [new TypeError("lost"), "model-unavailable"],
  ])("fails as the model would: %j is %s", async (answer, code) => {
    await expect(listModels(server("https://gpu.example", answer).config)).rejects.toMatchObject({ code });
  });
});
