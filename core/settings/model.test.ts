import { describe, expect, it } from "vitest";
import { backendOf, quoteModel, readModels } from "./model.ts";

describe("a list of models", () => {
  it.each([
    ["groq:llama-3.3-70b-versatile", ["groq:llama-3.3-70b-versatile"]],
    [" groq:a , facebook/opt-125m,mock:demo,groq:a", ["groq:a", "facebook/opt-125m", "mock:demo"]],
    ["x".repeat(200), ["x".repeat(200)]],
    ["x".repeat(201), "malformed"],
    ["two words", "malformed"],
    ["tab\there", "malformed"],
    ["modèle", "malformed"],
    ["groq:", "malformed"],
    ["gemini:", "malformed"],
    [",", "malformed"],
    ["*", "unsupported"],
    ["mock", "unsupported"],
    ["mock:", "unsupported"],
    ["mock:*", "unsupported"],
    ["groq:,mock,groq:a", "malformed,unsupported"],
  ])("%j is read as %j", (text, expected) => {
    const reading = readModels(text);
    expect(reading.ok ? reading.value : reading.refusal.map(({ code }) => code).join()).toEqual(expected);
  });

  it("is told why the mock is no fallback", () => {
    const reading = readModels("mock");
    expect(reading.ok ? "" : reading.refusal[0]?.message).toMatch(/fallback.*no quorum/);
  });
});

describe("an id's backend", () => {
  it.each([
    ["groq:a", "groq"],
    ["gemini:a", "gemini"],
    ["mock:a", "mock"],
    ["facebook/opt-125m", "openai"],
    ["llama3:8b", "openai"],
    ["Groq:a", "openai"],
  ])("of %s is %s", (id, backend) => {
    expect(backendOf(id)).toBe(backend);
  });
});

it("does not repeat an id that looks like a key", () => {
  expect(quoteModel("groq:a")).toBe('"groq:a"');
  expect(quoteModel(`sk-${"a1".repeat(12)}`)).toBe("an id of 27 characters");
});
