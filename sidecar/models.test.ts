import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scriptedFetch } from "../core/scripted-fetch.ts";
import { readSidecarSettings } from "../core/settings/sidecar.ts";
import { openModels } from "./models.ts";
import { createTestClock, createTestLog, NODE_KEY } from "./test-parts.ts";

const MINUTE_MS = 60_000;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "sidecar-models-"));
  const module = (models: string[], available = "") =>
    `export default { models: ${JSON.stringify(models)}, infer: async (id, prompt) => id + prompt, ${available} };`;
  await writeFile(join(dir, "open.mjs"), module(["own"]));
  await writeFile(
    join(dir, "closed.mjs"),
    module(["shut", "shut-too"], "available: () => globalThis.blfTestOpen === true"),
  );
  await writeFile(join(dir, "broken.mjs"), "export default {};");
});
afterAll(() => rm(dir, { recursive: true }));

function settingsOf(change: Readonly<Record<string, string>>) {
  const { settings, faults } = readSidecarSettings({
    BLF_PRIVATE_KEY: NODE_KEY.reveal(),
    BLF_STORAGE_KEY: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    BLF_RPC_URL: "https://rpc.example/v2/3fXk9QmT7wLpZr2VbNc8Y",
    BLF_SIDECAR_WORKER_KEYS: `w=${"ab".repeat(32)}`,
    BLF_SIDECAR_SIGNING_KEY: "cd".repeat(32),
    ...change,
  });
  if (settings === null) throw new Error(JSON.stringify(faults));
  return settings;
}

async function modelsOf(change: Readonly<Record<string, string>>, ...script: Parameters<typeof scriptedFetch>) {
  const { fetch, received } = scriptedFetch(...script);
  const clock = createTestClock();
  const { log, logged, events } = createTestLog();
  const models = await openModels(settingsOf(change), { fetch, clock, log });
  const ids = async () => (await models.served()).map(({ id, backend }) => `${backend} ${id}`);
  return { models, ids, clock, received, logged, events };
}

const listing = (...ids: string[]) => ({ json: { object: "list", data: ids.map((id) => ({ id })) } });
const custom = (...names: string[]) => names.map((name) => join(dir, name)).join();
const openai = { OPENAI_BASE_URL: "http://127.0.0.1:8000/v1" };

describe("The models", () => {
  it("are those that are listed, and nobody is asked for more", async () => {
    const { ids, received } = await modelsOf({ ...openai, BLF_MODELS: "mock:a,llama" });
    expect(await ids()).toEqual(["mock mock:a", "openai llama"]);
    expect(received).toEqual([]);
  });

  it("are the server's where none are listed, asked for once a minute", async () => {
    const { ids, clock, received, models } = await modelsOf(openai, listing("one", "two"), listing("two", "three"));
    expect(await ids()).toEqual(["openai one", "openai two"]);
    await clock.pass(MINUTE_MS - 1);
    expect(await ids()).toEqual(["openai one", "openai two"]);
    expect(received).toHaveLength(1);
    await clock.pass(1);
    expect(await ids()).toEqual(["openai two", "openai three"]);
    expect(models.registry.resolve("three").ok).toBe(true);
  });

  it("are none while the server does not say, which is logged", async () => {
    const { ids, clock, events } = await modelsOf(openai, { status: 400, text: "" }, listing("one"));
    expect(await ids()).toEqual([]);
    expect(events()).toContain("models.not-listed");
    await clock.pass(MINUTE_MS);
    expect(await ids()).toEqual(["openai one"]);
  });
});

describe("A module", () => {
  it("is loaded, and its models are served besides the others", async () => {
    const { ids, models, logged } = await modelsOf({ BLF_MODELS: "mock:a", BLF_CUSTOM_BACKENDS: custom("open.mjs") });
    expect(await ids()).toEqual(["mock mock:a", "custom own"]);
    const found = models.registry.resolve("own");
    expect(found.ok && (await found.value.infer("own", "!"))).toBe("own!");
    const loaded = { event: "backend.loaded", fields: { path: join(dir, "open.mjs"), models: "own" } };
    expect(logged).toContainEqual(loaded);
  });

  it("that is not available offers nothing until it is, and no other backend steps in", async () => {
    const both = { ...openai, BLF_CUSTOM_BACKENDS: custom("open.mjs", "closed.mjs") };
    const { ids, clock } = await modelsOf(both, listing("shut", "one"), listing("shut", "one"));
    expect(await ids()).toEqual(["custom own", "openai one"]);
    Object.assign(globalThis, { blfTestOpen: true });
    await clock.pass(1);
    expect(await ids()).toEqual(["custom own", "custom shut", "custom shut-too", "openai one"]);
    Object.assign(globalThis, { blfTestOpen: false });
    expect(await ids()).toEqual(["custom own", "openai one"]);
  });

  it.each([
    ["that is none", { BLF_MODELS: "mock:a" }, "broken.mjs", /BLF_CUSTOM_BACKENDS: .*broken\.mjs must name its models/],
    [
      "that is not there",
      { BLF_MODELS: "mock:a" },
      "absent.mjs",
      /absent\.mjs cannot be loaded \(ERR_MODULE_NOT_FOUND\)/,
    ],
    [
      "beside a model that nothing runs",
      { BLF_MODELS: "groq:a" },
      "open.mjs",
      /BLF_MODELS: model groq:a needs GROQ_API_KEY/,
    ],
  ])("%s stops the start", async (_, change, name, message) => {
    const opened = modelsOf({ ...change, BLF_CUSTOM_BACKENDS: custom(name) });
    await expect(opened).rejects.toMatchObject({ code: "settings", message: expect.stringMatching(message) });
  });
});
