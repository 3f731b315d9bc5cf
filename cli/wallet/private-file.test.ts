import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createPrivate, replacePrivate } from "./private-file.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "private-"));
});
afterEach(() => rm(dir, { recursive: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

it.each([
  ["createPrivate", createPrivate],
  ["replacePrivate", replacePrivate],
])("%s makes a file for its owner only, its folder too, whatever the umask", async (_name, write) => {
  const before = process.umask(0o777);
  await mkdir(join(dir, "a"), { mode: 0o700 });
  process.umask(0);
  const path = join(dir, "a", "b", "file");
  await write(path, "text").finally(() => process.umask(before));
  expect(await modeOf(path)).toBe(0o600);
  expect(await readFile(path, "utf8")).toBe("text");
});

it("never overwrites what is there, and leaves nothing beside it", async () => {
  const path = join(dir, "keystore.json");
  await createPrivate(path, "first");
  await expect(createPrivate(path, "second")).rejects.toMatchObject({
    exit: "refused",
    message: expect.stringContaining("exists already"),
  });
  expect(await readFile(path, "utf8")).toBe("first");
  expect(await readdir(dir)).toEqual(["keystore.json"]);
});

it("never writes through a link that leads nowhere", async () => {
  const path = join(dir, "keystore.json");
  await symlink(join(dir, "elsewhere"), path);
  await expect(createPrivate(path, "key")).rejects.toMatchObject({ exit: "refused" });
  expect(await readdir(dir)).toEqual(["keystore.json"]);
});

it("replaces a file that others could read by one that they cannot", async () => {
  const path = join(dir, ".env");
  await writeFile(path, "old", { mode: 0o644 });
  await replacePrivate(path, "new");
  expect(await modeOf(path)).toBe(0o600);
  expect(await readFile(path, "utf8")).toBe("new");
  expect(await readdir(dir)).toEqual([".env"]);
});

it("replaces the file behind a link and keeps the link", async () => {
  await mkdir(join(dir, "shared"));
  await writeFile(join(dir, "shared", "env"), "old");
  const path = join(dir, ".env");
  await symlink(join("shared", "env"), path);
  await replacePrivate(path, "new");
  expect((await lstat(path)).isSymbolicLink()).toBe(true);
  expect(await readFile(join(dir, "shared", "env"), "utf8")).toBe("new");
});

it("leaves nothing beside a place that cannot be taken", async () => {
  const path = join(dir, "taken");
  await mkdir(path);
  await expect(replacePrivate(path, "text")).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST|is a directory/i);
  expect(await readdir(dir)).toEqual(["taken"]);
});
