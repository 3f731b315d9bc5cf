import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { hashRuntime } from "./runtime-hash.ts";

const made: string[] = [];
afterEach(() => Promise.all(made.splice(0).map((folder) => rm(folder, { recursive: true, force: true }))));

const PACKAGE = {
  "package.json": "{}",
  "package-lock.json": "lock",
  "bin/start.js": "start",
  "dist/sidecar.js": "sidecar",
  "dist/worker/index.js": "worker",
};

async function install(files: Record<string, string>, under = ""): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "blf-runtime-"));
  made.push(folder);
  const root = join(folder, under);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

/** The definition once more. */
function byHand(files: [path: string, content: string][]): string {
  const field = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const hash = createHash("sha256").update(field(Buffer.from("blf-runtime/1")));
  for (const [path, content] of files) {
    hash.update(field(Buffer.from(path)));
    hash.update(field(createHash("sha256").update(content).digest()));
  }
  return hash.digest("hex");
}

const hashOf = async (files: Record<string, string>) => (await hashRuntime(await install(files))).hash;

describe("the runtime's hash", () => {
  it("is of the built files, the package's description and the lockfile, by their paths", async () => {
    const { hash, files } = await hashRuntime(await install(PACKAGE));
    expect(files.map(({ path }) => path)).toEqual([
      "bin/start.js",
      "dist/sidecar.js",
      "dist/worker/index.js",
      "lockfile",
      "package.json",
    ]);
    expect(hash).toBe(
      byHand([
        ["bin/start.js", "start"],
        ["dist/sidecar.js", "sidecar"],
        ["dist/worker/index.js", "worker"],
        ["lockfile", "lock"],
        ["package.json", "{}"],
      ]),
    );
  });

  it("is the same wherever the package lies", async () => {
    expect(await hashOf(PACKAGE)).toBe((await hashRuntime(await install(PACKAGE, "a/b/c"))).hash);
  });

  it("does not depend on source maps and texts", async () => {
    expect(await hashOf({ ...PACKAGE, "dist/sidecar.js.map": "map", "dist/README.md": "text" })).toBe(
      await hashOf(PACKAGE),
    );
  });

  it.each<[string, Record<string, string>]>([
    ["a file's content", { "dist/sidecar.js": "sidecar2" }],
    ["a file more", { "dist/more.js": "" }],
    ["the lockfile", { "package-lock.json": "lock2" }],
    ["the package's description", { "package.json": '{"a":1}' }],
    ["two files' contents exchanged", { "bin/start.js": "sidecar", "dist/sidecar.js": "start" }],
  ])("is another with %s", async (_name, change) => {
    expect(await hashOf({ ...PACKAGE, ...change })).not.toBe(await hashOf(PACKAGE));
  });

  it("takes the lockfile of the folder that npm installed the package into", async () => {
    const { "package-lock.json": lock, ...files } = PACKAGE;
    const root = await install({ ...files, "../.package-lock.json": lock }, "node_modules/blindference-edge");
    expect((await hashRuntime(root)).hash).toBe(await hashOf(PACKAGE));
  });

  it("is refused without a lockfile, and without anything built", async () => {
    const { "package-lock.json": _lock, ...files } = PACKAGE;
    await expect(hashOf(files)).rejects.toMatchObject({
      code: "settings",
      message: expect.stringContaining("no lockfile"),
    });
    const sources = { "package.json": "{}", "package-lock.json": "lock" };
    await expect(hashOf(sources)).rejects.toMatchObject({ message: expect.stringContaining("no built file") });
  });

  it("is refused with a link among the files", async () => {
    const root = await install(PACKAGE);
    await symlink(join(root, "bin/start.js"), join(root, "dist/link.js"));
    await expect(hashRuntime(root)).rejects.toThrow("no plain file");
  });

  it("is refused where a file is missing", async () => {
    const { "package.json": _description, ...files } = PACKAGE;
    await expect(hashOf(files)).rejects.toThrow("cannot be read (ENOENT)");
  });
});
