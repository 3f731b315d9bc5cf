import { describe, expect, it } from "vitest";
import type { Clock } from "../ports.ts";
import { type CustomBackend, createCustomBackend, isAvailable, loadCustomBackends } from "./custom.ts";
import { createModelRegistry } from "./registry.ts";

const infer = async (id: string, prompt: string) => `${id}: ${prompt}`;
const good = { models: ["my-model"], infer };

/** A clock whose sleeps end at once where `late`, and otherwise only when they are called off. */
function clockOf(late = false): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => 0,
    sleep: (ms, signal) => {
      slept.push(ms);
      return late
        ? Promise.resolve()
        : new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  };
}
const load = (...modules: unknown[]) =>
  loadCustomBackends(
    modules.map((_, index) => `./${index}.mjs`),
    async (path) => modules[Number.parseInt(path.slice(2), 10)],
  );
const backendOf = (custom: CustomBackend, clock = clockOf()) => createCustomBackend({ path: "./a.mjs", custom }, clock);

describe("A module", () => {
  it.each<[string, unknown, RegExp]>([
    ["without a default export", { models: ["a"], infer }, /no object as its default export/],
    ["without models", { default: { infer } }, /must name its models/],
    ["with no model", { default: { models: [], infer } }, /must name its models/],
    ["with a model that is no text", { default: { models: [7], infer } }, /must name its models/],
    ["without infer", { default: { models: ["a"] } }, /function infer/],
    ["with an available that is none", { default: { ...good, available: true } }, /available that is no function/],
    ["with another backend's prefix", { default: { models: ["groq:a"], infer } }, /prefix is another backend's/],
    ["with a model twice", { default: { models: ["a", "b", "a"], infer } }, /names a model twice/],
    ["with an id of two", { default: { models: ["a,b"], infer } }, /no model id/],
    ["with an id with a blank", { default: { models: ["a b"], infer } }, /no model id/],
    ["with the mock as a fallback", { default: { models: ["mock"], infer } }, /no model id/],
  ])("%s is refused with what to change", async (_, module, message) => {
    await expect(load(module)).rejects.toMatchObject({ code: "settings", message: expect.stringMatching(message) });
  });

  it("that cannot be loaded is named, with the system's code and none of its words", async () => {
    const broken = loadCustomBackends(["./x.mjs"], async () => {
      throw new SyntaxError("Unexpected token with a secret");
    });
    await expect(broken).rejects.toMatchObject({
      message: "BLF_CUSTOM_BACKENDS: ./x.mjs cannot be loaded (SyntaxError)",
    });
  });

  it("may not name another one's model", async () => {
    await expect(load({ default: good }, { default: good })).rejects.toThrow(
      /\.\/1\.mjs names a model that \.\/0\.mjs/,
    );
    expect(await load({ default: good }, { default: { models: ["other"], infer } })).toHaveLength(2);
  });

  it("is served without being listed, before any other backend of the same id", async () => {
    const custom = await load({ default: good });
    const openai = { baseUrl: "http://127.0.0.1:9" };
    const ports = { fetch: globalThis.fetch, clock: clockOf() };
    const registry = createModelRegistry({ models: ["mock:a", "my-model"], custom, openai, ...ports });
    expect(registry.models()).toEqual([
      { id: "mock:a", backend: "mock" },
      { id: "my-model", backend: "custom" },
    ]);
    const found = registry.resolve("my-model");
    if (!found.ok) throw new Error("it is not served");
    expect(await found.value.infer("my-model", "p")).toBe("my-model: p");
    expect(registry.resolve("my-other-model").ok).toBe(false);
  });
});

describe("An answer", () => {
  it("is the module's, unchanged, an empty one too", async () => {
    const own = {
      models: ["a"],
      answer: "",
      infer: async function (this: { answer: string }) {
        return this.answer;
      },
    };
    expect(await backendOf(own).infer("a", "p")).toBe("");
  });

  it("that is no text is final", async () => {
    const odd = { ...good, infer: async () => 7 as unknown as string };
    await expect(backendOf(odd).infer("a", "p")).rejects.toMatchObject({ code: "model-refused", retry: "never" });
  });

  it.each<[string, CustomBackend["infer"], RegExp]>([
    [
      "thrown",
      async () => Promise.reject(new TypeError("the prompt itself")),
      /^the backend \.\/a\.mjs threw TypeError$/,
    ],
    [
      "thrown at once",
      () => {
        throw new RangeError("the prompt itself");
      },
      /threw RangeError$/,
    ],
    ["thrown, and no error", async () => Promise.reject("the prompt itself"), /threw something that is no error$/],
    [
      "thrown with an odd name",
      async () => Promise.reject(Object.assign(new Error("x"), { name: "the prompt" })),
      /threw an error$/,
    ],
  ])("that is %s is tried again later, and nothing of the module's words is said", async (_, failing, message) => {
    await expect(backendOf({ ...good, infer: failing }).infer("a", "p")).rejects.toMatchObject({
      code: "model-unavailable",
      retry: "later",
      message: expect.stringMatching(message),
    });
  });

  it("that takes longer than a claim lasts is given up, and the module is told", async () => {
    let told: AbortSignal | undefined;
    const hanging = {
      ...good,
      infer: (_id: string, _prompt: string, signal: AbortSignal) => {
        told = signal;
        return new Promise<string>(() => undefined);
      },
    };
    const clock = clockOf(true);
    await expect(backendOf(hanging, clock).infer("a", "p")).rejects.toMatchObject({ code: "model-unavailable" });
    expect(clock.slept).toEqual([300_000]);
    expect(told?.aborted).toBe(true);
  });

  it("that is called off ends with the caller's reason", async () => {
    const abort = new AbortController();
    const hanging = {
      ...good,
      infer: (_id: string, _prompt: string, signal: AbortSignal) =>
        new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))),
    };
    const answer = backendOf(hanging).infer("a", "p", abort.signal);
    abort.abort(new Error("the job ended"));
    await expect(answer).rejects.toThrow("the job ended");
    await expect(backendOf(good).infer("a", "p", AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
  });
});

it("Whether it is available is its own word: true and nothing else, in time", async () => {
  const saying = (available?: () => unknown, late = false) =>
    isAvailable(
      { path: "a", custom: available === undefined ? good : { ...good, available: available as () => boolean } },
      clockOf(late),
    );
  expect(await saying()).toBe(true);
  expect(await saying(async () => true)).toBe(true);
  expect(await saying(() => "yes")).toBe(false);
  expect(
    await saying(() => {
      throw new Error("x");
    }),
  ).toBe(false);
  expect(await saying(() => new Promise(() => undefined), true)).toBe(false);
});
