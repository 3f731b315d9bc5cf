import { parseEnv } from "node:util";
import { expect, it } from "vitest";
import { changeEnv } from "./env-file.ts";

it("keeps comments, order, unknown names and blank lines, and replaces where a name stands", () => {
  const text =
    "# mine\nMY_OWN=1\n\nexport BLF_ROLES=leader\n  BLF_RPC_URL = https://old  # old\n# BLF_ROLES=commented\n";
  expect(changeEnv(text, { set: { BLF_ROLES: "verifier", BLF_RPC_URL: "https://new/v2/key" } })).toBe(
    "# mine\nMY_OWN=1\n\nBLF_ROLES=verifier\nBLF_RPC_URL=https://new/v2/key\n# BLF_ROLES=commented\n",
  );
});

it("adds what is new at the end, with one line end, and begins a new file with what it is", () => {
  expect(changeEnv("A=1", { set: { B: "2" } })).toBe("A=1\nB=2\n");
  expect(changeEnv("", { set: { B: "2" } })).toMatch(/^# Settings .*\nB=2\n$/);
});

it("takes out what is to go, and writes a name that stood twice once", () => {
  expect(changeEnv("A=1\nB=2\nA=3\n", { set: { A: "4" }, remove: ["B"] })).toBe("A=4\n");
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
])("writes %s so that it reads back the same", (value) => {
  expect(parseEnv(changeEnv("", { set: { NAME: value } })).NAME).toBe(value);
});

it("refuses a value that no quotes hold", () => {
  expect(() => changeEnv("", { set: { NAME: "all ' of \" them ` #" } })).toThrow(/cannot take NAME/);
});
