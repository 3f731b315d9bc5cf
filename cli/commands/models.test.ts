import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeNode, NODE, startFakeNode } from "../fake-node.ts";
import { inProcess } from "../in-process.ts";

let node: FakeNode;
let dir: string;
const text = () => readFile(join(dir, ".env"), "utf8");
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  inProcess(["models", ...args], { ...node.env, BLF_CONFIG_DIR: dir, ...env });

beforeEach(async () => {
  node = await startFakeNode();
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-models-"));
  await writeFile(join(dir, ".env"), "# mine\nBLF_MODELS=mock:demo\n");
});
afterEach(async () => {
  await node.close();
  await rm(dir, { recursive: true });
});

it("lists each model with its backend and whether the node serves it", async () => {
  const models = [
    { id: "groq:a", backend: "groq", served: true },
    { id: "openai:b", backend: "openai", served: false },
    { id: "openai:c" },
  ];
  node.answer("GET /api/models", { body: { nodes: [{ node: NODE, models }] } });
  const { stdout } = await run(["list"]);
  expect(stdout).toBe(
    `${NODE}\nmodel     backend  now\ngroq:a    groq     served\nopenai:b  openai   not served: see status\nopenai:c  –        unknown\n`,
  );
  expect(JSON.parse((await run(["list", "--json"])).stdout)).toEqual({ nodes: [{ node: NODE, models }] });
});

describe("the settings file", () => {
  it("takes a model that something here can run, once", async () => {
    expect(await run(["add", "groq:llama-3.3-70b-versatile"], { GROQ_API_KEY: "gsk_a-key-of-a-test" })).toMatchObject({
      code: 0,
    });
    expect(await text()).toBe("# mine\nBLF_MODELS=mock:demo,groq:llama-3.3-70b-versatile\n");
    expect(await run(["add", "mock:demo"])).toMatchObject({ code: 0, stderr: expect.stringContaining("already") });
  });

  it("takes all models of a server, in the file only, and its key never", async () => {
    const key = "sk-the-key-of-a-server-in-a-test";
    node.answer("GET /v1/models", { body: { object: "list", data: [{ id: "openai:x" }, { id: "y" }] } });
    const { code, stdout, stderr } = await run(["add", `${node.url}/v1`], { OPENAI_API_KEY: key });
    expect({ code, stderr: stderr.includes("Written to") }).toEqual({ code: 0, stderr: true });
    expect(await text()).toMatch(new RegExp(`^# mine\nBLF_MODELS=mock:demo,.*y\nOPENAI_BASE_URL=${node.url}/v1\n$`));
    expect(node.asked[0]?.headers.authorization).toBe(`Bearer ${key}`);
    expect(`${await text()}${stdout}${stderr}`).not.toContain(key);
  });

  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ["a model without its key", ["add", "groq:llama-3.3-70b-versatile"], {}, 2, /GROQ_API_KEY/],
    ["a module", ["add", "my_backend:Model"], {}, 2, /sidecar/],
    ["a model that is not there, to remove", ["remove", "mock:other"], {}, 2, /It holds: mock:demo/],
    ["the removal of the last one", ["remove", "mock:demo"], {}, 2, /serves nothing/],
    ["what the environment overrules", ["add", "mock:b"], { BLF_MODELS: "mock:a" }, 2, /is set in the environment/],
    ["a server that is none", ["add", "http://127.0.0.1:1/v1"], {}, 3, /fix: /],
  ])("refuses %s, and stays as it was", async (_what, args, env, code, message) => {
    const ended = await run(args, env);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(message);
    expect(await text()).toBe("# mine\nBLF_MODELS=mock:demo\n");
  });

  it("loses a model that is removed", async () => {
    await writeFile(join(dir, ".env"), "BLF_MODELS=mock:a,mock:b\n");
    expect(await run(["remove", "mock:a"])).toMatchObject({ code: 0, stdout: "Removed mock:a.\n" });
    expect(await text()).toBe("BLF_MODELS=mock:b\n");
  });
});

it("asks one model one question, and gives only the answer on standard output", async () => {
  const { code, stdout, stderr } = await run(["test", "mock:demo", "What is 2+2?"]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^Asking mock:demo …$/m);
  const asJson = JSON.parse((await run(["test", "mock:demo", "What is 2+2?", "--json"])).stdout) as { answer: string };
  expect(stdout).toBe(`${asJson.answer}\n`);
});
