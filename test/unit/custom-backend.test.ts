import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runCommand } from "../../cli/run-command.ts";
import { sha256Hex } from "../../core/crypto/sha256.ts";

let dir: string;
let path: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "custom-backend-"));
  path = join(dir, "my-backend.mjs");
  const page = await readFile(new URL("../../docs/operate/custom-backend.md", import.meta.url), "utf8");
  const [, example] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  await writeFile(path, example ?? "");
});
afterAll(() => rm(dir, { recursive: true }));

it("The page's example is added, and answers as it says", async () => {
  const added = await runCommand(["models", "add", "./my-backend.mjs"], {}, dir);
  expect(added).toMatchObject({ code: 0, stdout: "Added my-model.\n" });
  expect(await readFile(join(dir, ".env"), "utf8")).toMatch(/^BLF_CUSTOM_BACKENDS=.*my-backend\.mjs$/m);
  const again = await runCommand(["models", "add", path], {}, dir);
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining("already") });

  expect(await runCommand(["models", "test", "my-model", "what is 2+2?"], {}, dir)).toMatchObject({
    code: 0,
    stdout: "WHAT IS 2+2?\n",
  });
  const tested = await runCommand(["test-determinism", "--prompt", "abc", "--json"], {}, dir);
  expect(JSON.parse(tested.stdout)).toMatchObject({ model: "my-model", same: true, digest: await sha256Hex("ABC") });
});

it("A module that is none is not written down", async () => {
  const before = await readFile(join(dir, ".env"), "utf8").catch(() => "");
  await writeFile(join(dir, "broken.mjs"), "export default { models: [] };");
  const refused = await runCommand(["models", "add", "./broken.mjs"], {}, dir);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("must name its models") });
  const absent = await runCommand(["models", "add", "./absent.mjs"], {}, dir);
  expect(absent).toMatchObject({ code: 2, stderr: expect.stringContaining("ERR_MODULE_NOT_FOUND") });
  expect(await readFile(join(dir, ".env"), "utf8").catch(() => "")).toBe(before);
});
