import { describe, expect, it } from "vitest";
import { systemClock } from "../ports.ts";
import { scriptedFetch } from "../scripted-fetch.ts";
import { Secret } from "../secret.ts";
import { createModelRegistry, type ModelRegistryConfig } from "./registry.ts";

const apiKey = new Secret("k");
const CONFIGURED = {
  groq: { apiKey, baseUrl: "https://groq.example" },
  gemini: { apiKey, baseUrl: "https://gemini.example" },
  openai: { baseUrl: "https://gpu.example" },
};

function registry(models: string[], config: Partial<ModelRegistryConfig> = CONFIGURED) {
  const { fetch } = scriptedFetch();
  return createModelRegistry({ models, ...config, fetch, clock: systemClock });
}

/** The backend's name, or the reason of the refusal. */
function outcome(models: string[], id: string, config?: Partial<ModelRegistryConfig>): string {
  const resolved = registry(models, config).resolve(id);
  return resolved.ok ? resolved.value.name : resolved.refusal.reason;
}

const LISTED = ["groq:llama", "gemini:flash", "facebook/opt-125m", "mock:demo", "llama3:8b"];

describe("a listed model", () => {
  it.each([
    ["groq:llama", "groq"],
    ["gemini:flash", "gemini"],
    ["facebook/opt-125m", "openai"],
    ["llama3:8b", "openai"],
    ["mock:demo", "mock"],
  ])("%s runs on %s", (id, backend) => {
    expect(outcome(LISTED, id)).toBe(backend);
  });

  it.each(["groq:llama", "gemini:flash", "facebook/opt-125m"])(
    "%s is refused without its backend, never mocked",
    (id) => {
      expect(outcome(LISTED, id, {})).toBe("not-configured");
      expect(outcome([id, "mock:demo"], id, {})).toBe("not-configured");
    },
  );

  it("is named with what it lacks, so that the operator can add it", () => {
    const resolved = registry(LISTED, {}).resolve("groq:llama");
    expect(resolved).toMatchObject({ refusal: { message: "model groq:llama needs GROQ_API_KEY" } });
  });

  it.each(["groq:", "gemini:", "mock:", "mock", ""])("%j is refused although it is listed", (id) => {
    expect(outcome([id], id)).toBe("malformed");
  });
});

describe("an unlisted model", () => {
  it.each(["groq:other", "gemini:other", "mock:other", "mock", "gpt2", "GROQ:llama", "groq:llama "])(
    "%j is refused",
    (id) => {
      expect(outcome(LISTED, id)).toBe("unlisted");
    },
  );

  it("runs on the local server alone where its models are discovered", () => {
    const discovering = { ...CONFIGURED, openaiDiscover: true };
    expect(outcome([], "gpt2", discovering)).toBe("openai");
    for (const id of ["groq:other", "gemini:other", "mock:other"])
      expect(outcome([], id, discovering)).toBe("unlisted");
    expect(outcome([], "mock", discovering)).toBe("malformed");
    expect(outcome([], "gpt2", { openaiDiscover: true })).toBe("not-configured");
  });

  it("whose id could spoil a log is not repeated", () => {
    const resolved = registry(LISTED).resolve("a\nb");
    expect(resolved).toMatchObject({ refusal: { message: "this node does not serve a model with an unusable id" } });
  });
});

describe("the list of models", () => {
  it("holds each listed id once, in order, with what would run it", () => {
    expect(registry(["mock:demo", "groq:llama", "mock:demo", "gpt2"]).models()).toEqual([
      { id: "mock:demo", backend: "mock" },
      { id: "groq:llama", backend: "groq" },
      { id: "gpt2", backend: "openai" },
    ]);
  });
});
