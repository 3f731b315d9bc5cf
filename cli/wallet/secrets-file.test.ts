import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { Secret } from "../../core/secret.ts";
import { openSecrets, saveSecrets, secretNames } from "./secrets-file.ts";

// geth's cost is a second of work, more on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const PASSWORD = new Secret("correct horse");
const SECRETS = { GROQ_API_KEY: new Secret("gsk_0123456789abcdef"), PINATA_JWT: new Secret("eyJhbGciOi") };
let dir: string;
let path: string;
let sealed: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "secrets-"));
  path = join(dir, "secrets.json");
  await saveSecrets(path, PASSWORD, SECRETS);
  sealed = await readFile(path, "utf8");
});
afterAll(() => rm(dir, { recursive: true }));

/** A file beside the sealed one with a part of it changed. */
async function changed(change: (file: Record<string, unknown>) => void): Promise<string> {
  const file = JSON.parse(sealed);
  change(file);
  const place = join(dir, "changed.json");
  await writeFile(place, JSON.stringify(file));
  return place;
}

it("gives back what was sealed, with the password alone", async () => {
  const opened = await openSecrets(path, PASSWORD);
  expect(Object.entries(opened).map(([name, secret]) => [name, secret.reveal()])).toEqual([
    ["GROQ_API_KEY", "gsk_0123456789abcdef"],
    ["PINATA_JWT", "eyJhbGciOi"],
  ]);
  await expect(openSecrets(path, new Secret("correct horsf"))).rejects.toMatchObject({ exit: "usage" });
});

it("tells the names without the password, and nothing of the values", async () => {
  expect(await secretNames(path)).toEqual(["GROQ_API_KEY", "PINATA_JWT"]);
  for (const secret of Object.values(SECRETS)) expect(sealed).not.toContain(secret.reveal());
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it("holds nothing where there is no file", async () => {
  expect(await secretNames(join(dir, "none.json"))).toEqual([]);
  expect(await openSecrets(join(dir, "none.json"), PASSWORD)).toEqual({});
});

it("is replaced as a whole and leaves nothing beside it", async () => {
  const place = join(dir, "again.json");
  await saveSecrets(place, PASSWORD, SECRETS);
  await saveSecrets(place, PASSWORD, { OPENAI_API_KEY: new Secret("other") });
  expect(Object.keys(await openSecrets(place, PASSWORD))).toEqual(["OPENAI_API_KEY"]);
  expect((await readdir(dir)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

it.each<[string, (file: Record<string, unknown>) => void]>([
  [
    "a byte of the ciphertext",
    (file) => {
      file.sealed = Buffer.from(String(file.sealed), "base64").fill(7, 0, 1).toString("base64");
    },
  ],
  [
    "the list of names",
    (file) => {
      file.names = ["PINATA_JWT"];
    },
  ],
  [
    "a seal that is cut short",
    (file) => {
      file.sealed = Buffer.from(String(file.sealed), "base64").subarray(0, 9).toString("base64");
    },
  ],
  [
    "an empty seal",
    (file) => {
      file.sealed = "";
    },
  ],
])("opens nothing once somebody changed %s", async (_what, change) => {
  const place = await changed(change);
  await expect(openSecrets(place, PASSWORD)).rejects.toMatchObject({
    name: "CliError",
    exit: "usage",
    message: expect.stringContaining("or the file was changed"),
  });
});

it.each<[string, string]>([
  ["no JSON", "{"],
  ["another file", "{}"],
  ["a later version", JSON.stringify({ format: "blindference-secrets", version: 2 })],
])("names the file where it is %s", async (_what, text) => {
  const place = join(dir, "damaged.json");
  await writeFile(place, text);
  await expect(secretNames(place)).rejects.toMatchObject({
    exit: "usage",
    message: expect.stringContaining("no secrets file, or damaged"),
  });
  await expect(openSecrets(place, PASSWORD)).rejects.toMatchObject({ exit: "usage" });
});
