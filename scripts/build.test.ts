import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { replaceFiles } from "./build.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-build-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(where: string, files: Record<string, string>): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, where, name, ".."), { recursive: true });
    await writeFile(join(folder, where, name), text);
  }
  return join(folder, where);
}

async function read(where: string): Promise<Record<string, string>> {
  const entries = await readdir(join(folder, where), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    files.map(async (file) => [file.slice(folder.length + where.length + 2), await readFile(file, "utf8")]),
  );
  return Object.fromEntries(texts);
}

it("a new build replaces the old one and what only the old one had", async () => {
  const next = await write("next", { "cli.js": "2", "worker/index.js": "2" });
  const dist = await write("dist", { "cli.js": "1", "worker/index.js": "1", "worker/old.map": "1", "gone.js": "1" });
  await replaceFiles(next, dist);
  expect(await read("dist")).toEqual({ "cli.js": "2", "worker/index.js": "2" });
});

it("the first build needs no folder", async () => {
  await replaceFiles(await write("next", { "worker/index.js": "1" }), join(folder, "dist"));
  expect(await read("dist")).toEqual({ "worker/index.js": "1" });
});

it("every file is there at every moment, the old one or the new", async () => {
  const names = Array.from({ length: 20 }, (_, at) => `worker/${at}.js`);
  const files = (text: string) => Object.fromEntries(names.map((name) => [name, text]));
  const dist = await write("dist", files("1"));
  const next = await write("next", files("2"));
  let over = false;
  const replaced = replaceFiles(next, dist).finally(() => {
    over = true;
  });
  const seen = new Set<string>();
  while (!over) for (const name of names) seen.add(await readFile(join(dist, name), "utf8").catch(() => "missing"));
  await replaced;
  expect(seen).not.toContain("missing");
  expect(await read("dist")).toEqual(files("2"));
});

it("the launcher's sign that there is a build, cli.js, comes last", async () => {
  const next = await write("next", { "cli.js": "1", "devnet.js": "1", "worker/index.js": "1" });
  // A file in the worker's place: it cannot be moved there.
  const dist = await write("dist", { worker: "in the way" });
  await expect(replaceFiles(next, dist)).rejects.toThrow();
  expect(await read("dist")).not.toHaveProperty("cli.js");
});
