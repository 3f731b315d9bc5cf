import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { runCommand } from "../run-command.ts";
import { ETH_ACCOUNT_SAMPLE } from "../wallet/keystore-samples.ts";

vi.setConfig({ testTimeout: 60_000 });

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "keys-"));
  await writeFile(join(dir, "keystore.json"), ETH_ACCOUNT_SAMPLE.text);
});
afterAll(() => rm(dir, { recursive: true }));

it("prints the keystore's key and nothing else on standard output, whatever key the environment has", async () => {
  const env = { BLF_KEY_PASSWORD: ETH_ACCOUNT_SAMPLE.password, BLF_PRIVATE_KEY: "1".repeat(64) };
  const { code, stdout, stderr } = await runCommand(["keys", "export", "--confirm"], env, dir);
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${ETH_ACCOUNT_SAMPLE.privateKey}\n` });
  expect(stderr).toMatch(/Keep this key secret/);
  expect(stderr).not.toContain(ETH_ACCOUNT_SAMPLE.privateKey.slice(2));
});

it.each<[string, string[], Record<string, string>, number, RegExp]>([
  ["without --confirm", [], { BLF_KEY_PASSWORD: ETH_ACCOUNT_SAMPLE.password }, 4, /--confirm/],
  ["without the password", ["--confirm"], {}, 2, /password of .* is needed/],
  ["with another password", ["--confirm"], { BLF_KEY_PASSWORD: "another password" }, 2, /password does not open it/],
  [
    "without a keystore",
    ["--confirm"],
    { BLF_KEYSTORE: "none.json", BLF_PRIVATE_KEY: "1".repeat(64) },
    2,
    /There is no keystore/,
  ],
])("prints no key %s", async (_what, args, env, code, message) => {
  const ended = await runCommand(["keys", "export", ...args], env, dir);
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: "" });
  expect(ended.stderr).toMatch(message);
});
