import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Secret } from "../core/secret.ts";
import { filesIn, readEnvironment } from "./environment.ts";
import { createIo } from "./io.ts";
import { redactor } from "./redactor.ts";
import { ETH_ACCOUNT_SAMPLE } from "./wallet/keystore-samples.ts";
import { sealSecrets } from "./wallet/secrets-file.ts";

vi.setConfig({ testTimeout: 60_000 });

const { password: PASSWORD } = ETH_ACCOUNT_SAMPLE;
const KEY = "1".repeat(64);
const own = process.env;
const NAMES = ["BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN", "GROQ_API_KEY", "GOOGLE_API_KEY"];
let dir: string;
let sealed: string;

beforeAll(async () => {
  const secrets = NAMES.map((name) => [name, new Secret(`the sealed ${name}`)]);
  sealed = await sealSecrets(new Secret(PASSWORD), Object.fromEntries(secrets));
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-environment-"));
});
afterEach(async () => {
  process.env = own;
  await rm(dir, { recursive: true });
});

function read(env: Readonly<Record<string, string>>, envFile?: string) {
  process.env = { BLF_CONFIG_DIR: dir, ...env };
  return readEnvironment(createIo(), envFile);
}
const seal = () => writeFile(filesIn(dir).secretsPath, sealed);

describe("a setting", () => {
  it("is the environment's, else the file's, else the sealed one, and empty counts as absent", async () => {
    await seal();
    await writeFile(join(dir, ".env"), "BLF_ADMIN_TOKEN=file\nBLF_SPEND_TOKEN=file\nGROQ_API_KEY=\n");
    const env = read({ BLF_ADMIN_TOKEN: "shell", BLF_SPEND_TOKEN: "", GROQ_API_KEY: "", BLF_KEY_PASSWORD: PASSWORD });
    const expected = ["shell", undefined, undefined, undefined];
    expect(NAMES.map((name) => env.get(name))).toEqual(expected);
    const secrets = await Promise.all(NAMES.map(async (name) => (await env.secret(name))?.reveal()));
    expect(secrets).toEqual(["shell", ...NAMES.slice(1).map((name) => `the sealed ${name}`)]);
    const { BLF_KEY_PASSWORD: _none, ...unlocked } = await env.unlocked();
    expect(NAMES.map((name) => unlocked[name])).toEqual(secrets);
  });

  it("comes from the file that --env-file names, alone, and that one must be there", async () => {
    await writeFile(join(dir, ".env"), "BLF_ROLES=leader\nBLF_TIER=1\n");
    await writeFile(join(dir, "other.env"), "BLF_ROLES=verifier\n");
    const env = read({}, join(dir, "other.env"));
    expect([env.get("BLF_ROLES"), env.get("BLF_TIER")]).toEqual(["verifier", undefined]);
    expect(() => read({}, join(dir, "none.env"))).toThrow(/there is no file/);
  });

  it("goes to the Worker where it is one, or looks like one; what is the command's or the machine's own does not", () => {
    const env = read({
      PATH: "/bin",
      AWS_SECRET_ACCESS_KEY: "a secret of something else",
      BLF_KEY_PASSWORD: PASSWORD,
      BLF_NODE_URL: "http://127.0.0.1:1",
      BLF_RLOES: "misspelt, which the settings' own check names",
      GROQ_API_KEY: "gsk",
      BLF_ROLES: " ",
    });
    expect(env.bindings()).toEqual({
      BLF_RLOES: "misspelt, which the settings' own check names",
      GROQ_API_KEY: "gsk",
    });
  });
});

describe("what is sealed", () => {
  it("is opened once, and only when it is needed", async () => {
    await seal();
    const env = read({ BLF_KEY_PASSWORD: PASSWORD, BLF_SPEND_TOKEN: "not sealed" });
    const [first, second] = await Promise.all([env.secret("BLF_ADMIN_TOKEN"), env.secret("BLF_ADMIN_TOKEN")]);
    expect([first?.reveal(), second?.reveal()]).toEqual(Array(2).fill("the sealed BLF_ADMIN_TOKEN"));
    await rm(filesIn(dir).secretsPath);
    expect((await env.secret("BLF_ADMIN_TOKEN"))?.reveal()).toBe("the sealed BLF_ADMIN_TOKEN");
    expect(redactor.redact("said the sealed BLF_ADMIN_TOKEN")).not.toContain("sealed BLF");
  });

  it("is not asked for where the setting is plain, or where nothing is sealed", async () => {
    const plain = read({ BLF_ADMIN_TOKEN: "plain" });
    expect((await plain.secret("BLF_ADMIN_TOKEN"))?.reveal()).toBe("plain");
    expect(await plain.secret("BLF_SPEND_TOKEN")).toBeNull();
    await seal();
    expect((await read({ BLF_ADMIN_TOKEN: "plain" }).secret("BLF_ADMIN_TOKEN"))?.reveal()).toBe("plain");
  });

  it("stays closed without the password where nobody can be asked", async () => {
    await seal();
    await expect(read({}).secret("BLF_ADMIN_TOKEN")).rejects.toMatchObject({
      exit: "usage",
      message: expect.stringMatching(/password of .* is needed/),
    });
  });
});

describe("the wallet", () => {
  beforeEach(() => writeFile(filesIn(dir).keystorePath, ETH_ACCOUNT_SAMPLE.text));

  it("is BLF_PRIVATE_KEY before the keystore, with 0x or without; the keystore's own is told apart", async () => {
    const env = read({ BLF_PRIVATE_KEY: KEY, BLF_KEY_PASSWORD: PASSWORD });
    expect((await env.privateKey()).reveal()).toBe(`0x${KEY}`);
    expect((await env.unlocked()).BLF_PRIVATE_KEY).toBe(KEY);
    expect((await env.keystoreKey()).reveal()).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
  });

  it("is the keystore where there is no key, also for what the Worker is given", async () => {
    const env = read({ BLF_KEY_PASSWORD: PASSWORD });
    expect((await env.privateKey()).reveal()).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
    expect((await env.unlocked()).BLF_PRIVATE_KEY).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
  });

  it("is refused where it is several keys, or none, and not repeated", async () => {
    const several = `${KEY},${"2".repeat(64)}`;
    const refused = await read({ BLF_PRIVATE_KEY: several }).privateKey().catch(String);
    expect(refused).toMatch(/not one private key/);
    expect(refused).not.toContain("1111");
  });
});
