import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { createMockBackend } from "./mock.ts";
import { anchorPrompt } from "./prompt.ts";

describe("the wrapper for cloud models", () => {
  it.each(vectors.cloud_prompt)("of $prompt for $model is the network's", async ({ model, prompt, wrapped }) => {
    expect(await anchorPrompt(model, prompt)).toBe(wrapped);
  });
});

describe("the mock model", () => {
  it.each(vectors.mock_backend)(
    "answers $prompt as $model as the network's does",
    async ({ model, prompt, output }) => {
      expect(await createMockBackend().infer(model, prompt)).toBe(output);
    },
  );

  it("hashes the full id, prefix included", async () => {
    const answers = await Promise.all(["mock:demo", "demo"].map((id) => createMockBackend().infer(id, "hello")));
    // printf 'mock:demo:hello' | sha256sum
    expect(answers[0]).toBe("MOCK_OUTPUT_ad3889578dedc1d2430fe1e210ec3459315623532873247e0ece16570b7777b8");
    expect(answers[1]).not.toBe(answers[0]);
  });

  it("stops for a signal", async () => {
    const signal = AbortSignal.abort(new Error("deadline"));
    await expect(createMockBackend().infer("mock:a", "p", signal)).rejects.toThrow("deadline");
  });
});
