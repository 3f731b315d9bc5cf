import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setInEnvFile, withLine } from "./env-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-env-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a line of the settings file", () => {
  it.each([
    ["", "A=1\n"],
    ["B=2", "B=2\nA=1\n"],
    ["B=2\n", "B=2\nA=1\n"],
    ["A=0\nB=2\n", "A=1\nB=2\n"],
    ["# A=0\nexport A = 0\n", "# A=0\nA=1\n"],
    // The last one is the one that counts.
    ["A=0\nA=00\n", "A=0\nA=1\n"],
    ["A=0\r\nB=2\r\n", "A=1\r\nB=2\r\n"],
    ["AA=0\n", "AA=0\nA=1\n"],
  ])("in %j it becomes %j", (before, after) => {
    expect(withLine(before, "A", "1")).toBe(after);
  });

  it("is written into a new file that only its owner may read", async () => {
    const path = join(folder, ".env");
    expect(await setInEnvFile(path, "A", "1")).toBe(true);
    expect([await readFile(path, "utf8"), (await stat(path)).mode & 0o777]).toEqual(["A=1\n", 0o600]);
    expect(await readdir(folder)).toEqual([".env"]);
  });

  it("is written through a link, which stays one", async () => {
    const path = join(folder, ".env");
    await writeFile(join(folder, "real"), "A=0\n");
    await symlink("real", path);
    expect(await setInEnvFile(path, "A", "1")).toBe(true);
    expect([await readFile(join(folder, "real"), "utf8"), await readlink(path)]).toEqual(["A=1\n", "real"]);
  });

  it("leaves the mode of a file as it was, and a file that has it alone", async () => {
    const path = join(folder, ".env");
    await writeFile(path, "A=0\n", { mode: 0o640 });
    expect(await setInEnvFile(path, "A", "1")).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await setInEnvFile(path, "A", "1")).toBe(false);
  });
});
