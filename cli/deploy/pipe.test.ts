import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../core/secret.ts";
import { feedPipe, makePipe } from "./pipe.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-pipe-"));
  path = join(folder, "secrets.json");
  await makePipe(path);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = () => promisify(execFile)("cat", [path], { maxBuffer: 1 << 20 });

describe("the pipe for secrets", () => {
  it("is for its owner only, and no file", async () => {
    const { mode } = await stat(path);
    expect([mode & 0o777, (await stat(path)).isFIFO()]).toEqual([0o600, true]);
  });

  it.each([10, 300_000])("hands over all of %i bytes", async (length) => {
    const text = "s".repeat(length);
    const [{ stdout }, taken] = await Promise.all([
      read(),
      feedPipe(path, new Secret(text), new AbortController().signal),
    ]);
    expect([stdout.length, stdout === text, taken]).toEqual([length, true, true]);
    expect((await stat(path)).size).toBe(0);
  });

  it("gives up when the reader has ended without reading", async () => {
    expect(await feedPipe(path, new Secret("s"), AbortSignal.timeout(50))).toBe(false);
  });
});
