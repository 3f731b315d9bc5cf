import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeEnv, changeEnvFile } from "./env-file.ts";

describe("the text of a settings file", () => {
  it("keeps comments, order, unknown names and blank lines, and is changed where a name stands", () => {
    const text =
      "# mine\nMY_OWN=1\n\nexport BLF_ROLES=leader\n  BLF_RPC_URL = https://old  # old\n# BLF_ROLES=commented\n";
    expect(changeEnv(text, { set: { BLF_ROLES: "verifier", BLF_RPC_URL: "https://new/v2/key" } })).toBe(
      "# mine\nMY_OWN=1\n\nBLF_ROLES=verifier\nBLF_RPC_URL=https://new/v2/key\n# BLF_ROLES=commented\n",
    );
  });

  it.each([
    ["A=1", { B: "2" }, "A=1\nB=2\n"],
    ["A=1\r\nB=1\r\n", { A: "2", C: "3" }, "A=2\r\nB=1\r\nC=3\r\n"],
    ["AA=0\n", { A: "1" }, "AA=0\nA=1\n"],
    ["A=1\nB=2\nA=3\n", { A: "4" }, "A=4\nB=2\n"],
  ])("in %j takes %j and becomes %j", (before, set, after) => {
    expect(changeEnv(before, { set })).toBe(after);
  });

  it("begins, where it is new, with what it is", () => {
    expect(changeEnv("", { set: { B: "2" } })).toMatch(/^# Settings .*\nB=2\n$/);
  });

  it("loses what is to go, every line of it", () => {
    expect(changeEnv("A=1\nB=2\nA=3\n", { set: {}, remove: ["A"] })).toBe("B=2\n");
  });

  it.each([
    "plain",
    "https://h/v2/k?x=1&y=2",
    "with blank",
    "a#b",
    "it's",
    'say "hi"',
    "$HOME",
    "groq:a,gemini:b",
    "back\\slash",
    "=",
    " padded ",
  ])("takes %s so that it reads back the same", (value) => {
    expect(parseEnv(changeEnv("", { set: { NAME: value } })).NAME).toBe(value);
  });

  it("refuses a value that no quotes hold", () => {
    expect(() => changeEnv("", { set: { NAME: "all ' of \" them ` #" } })).toThrow(/cannot take NAME/);
  });

  it("refuses a change that would cut into another name's value", () => {
    const text = 'NOTE="first\nA=not a setting\nlast"\n';
    expect(() => changeEnv(text, { set: { A: "1" } })).toThrow(/cannot take/);
    expect(() => changeEnv(text, { set: {}, remove: ["A"] })).toThrow(/cannot take NOTE/);
  });
});

describe("a settings file", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "blindference-edge-env-"));
    path = join(folder, ".env");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const mode = async () => (await stat(path)).mode & 0o777;

  it("is made for its owner only, and nothing else is left in the folder", async () => {
    expect(await changeEnvFile(path, { set: { A: "1" } })).toBe(true);
    expect([parseEnv(await readFile(path, "utf8")), await mode()]).toEqual([{ A: "1" }, 0o600]);
    expect(await readdir(folder)).toEqual([".env"]);
  });

  it("is changed through a link, which stays one", async () => {
    await writeFile(join(folder, "real"), "A=0\n");
    await symlink("real", path);
    expect(await changeEnvFile(path, { set: { A: "1" } })).toBe(true);
    expect([await readFile(join(folder, "real"), "utf8"), await readlink(path)]).toEqual(["A=1\n", "real"]);
  });

  it("keeps its mode, until a secret comes in, also by its other name", async () => {
    await writeFile(path, "A=0\nGROQ_API_KEY=old\n", { mode: 0o640 });
    expect(await changeEnvFile(path, { set: { A: "1" } })).toBe(true);
    expect(await mode()).toBe(0o640);
    expect(await changeEnvFile(path, { set: { BLF_IPFS_UPLOAD_JWT: "a secret" } })).toBe(true);
    expect(await mode()).toBe(0o600);
  });

  it("is left alone where it says so already, however it is written", async () => {
    const text = "A = '1' # one\n";
    await writeFile(path, text);
    expect(await changeEnvFile(path, { set: { A: "1" }, remove: ["B"] })).toBe(false);
    expect(await readFile(path, "utf8")).toBe(text);
  });
});
