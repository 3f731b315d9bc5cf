import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { customBackendsOf } from "./custom-backends.ts";
import { inProcess } from "./in-process.ts";

let dir: string;
const text = () => readFile(join(dir, ".env"), "utf8");
const add = (path: string, env: Record<string, string> = {}) =>
  inProcess(["models", "add", path], { BLF_CONFIG_DIR: dir, ...env });

async function module(name: string, models: string[]): Promise<string> {
  const path = join(dir, name);
  const source = `export default { models: ${JSON.stringify(models)}, infer: async (id, prompt) => prompt.length + id };`;
  await writeFile(path, source);
  return path;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "custom-backends-"));
  await writeFile(join(dir, ".env"), "# mine\n");
});
afterEach(() => rm(dir, { recursive: true }));

it("The settings' modules are loaded in order, from where the command is started", async () => {
  const paths = [await module("a.mjs", ["a"]), relative(process.cwd(), await module("b.mjs", ["b"]))];
  const loaded = await customBackendsOf({ get: () => ` ${paths.join(" , ")},` });
  expect(loaded.map(({ path, custom }) => [path, custom.models])).toEqual([
    [paths[0], ["a"]],
    [paths[1], ["b"]],
  ]);
  expect(await customBackendsOf({ get: () => undefined })).toEqual([]);
});

describe("models add", () => {
  it("checks a module, writes it down once, and the next one behind it", async () => {
    const [a, b] = [await module("a.mjs", ["a1", "a2"]), await module("b.mjs", ["b"])];
    expect(await add(a)).toMatchObject({ code: 0, stdout: "Added a1, a2.\n" });
    expect(await add(relative(process.cwd(), a))).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("already"),
    });
    expect(await add(b)).toMatchObject({ code: 0, stdout: "Added b.\n" });
    expect(await text()).toBe(`# mine\nBLF_CUSTOM_BACKENDS=${a},${b}\n`);
    const tested = await inProcess(["models", "test", "b", "four"], { BLF_CONFIG_DIR: dir });
    expect(tested).toMatchObject({ code: 0, stdout: "4b\n" });
  });

  it("refuses a module that names a model of another one", async () => {
    await add(await module("a.mjs", ["a"]));
    const before = await text();
    const refused = await add(await module("b.mjs", ["b", "a"]));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/b\.mjs names a model that .*a\.mjs/) });
    expect(await text()).toBe(before);
  });

  it("refuses a path that a list cannot hold", async () => {
    const refused = await add(await module("a,b.mjs", ["a"]));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("comma") });
    expect(await text()).toBe("# mine\n");
  });

  it("refuses what the environment overrules", async () => {
    const [a, b] = [await module("a.mjs", ["a"]), await module("b.mjs", ["b"])];
    const refused = await add(b, { BLF_CUSTOM_BACKENDS: a });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("is set in the environment") });
    expect(await text()).toBe("# mine\n");
  });
});
