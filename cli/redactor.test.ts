import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createRedactor } from "./redactor.ts";

const KEY = "11".repeat(32);
const OTHER = "22".repeat(32);
const SOUND = {
  BLF_PRIVATE_KEY: `0x${KEY}, 0x${OTHER}`,
  BLF_ADMIN_TOKEN: "an-admin-token-of-the-test",
  BLF_IPFS_UPLOAD_JWT: "a-token-under-another-name",
  BLF_RPC_URL: "https://rpc.example/v2/an-rpc-key-in-a-path",
};

function redacted(env: Record<string, string>, text: string): string {
  const redactor = createRedactor();
  redactor.learn(env);
  return redactor.redact(text);
}

describe("an error of others", () => {
  it.each([
    ["a key", `cannot parse 0x${KEY}`, "cannot parse [redacted]"],
    ["a key's bare digits in another case", `cannot parse ${KEY.toUpperCase()}`, "cannot parse [redacted]"],
    ["the second of two keys", `no account for ${OTHER}`, "no account for [redacted]"],
    ["a setting as it was written", `bad value ${SOUND.BLF_PRIVATE_KEY}`, "bad value [redacted]"],
    ["a token", "header an-admin-token-of-the-test", "header [redacted]"],
    ["a key under its other name", "key a-token-under-another-name", "key [redacted]"],
    ["an RPC key", "GET https://rpc.example/v2/an-rpc-key-in-a-path", "GET https://rpc.example/v2/[redacted]"],
  ])("is shown without %s", (_what, text, shown) => {
    expect(redacted(SOUND, text)).toBe(shown);
    // A fault elsewhere makes them no less secret.
    expect(redacted({ ...SOUND, BLF_TIER: "seven" }, text)).toBe(shown);
  });

  it("is shown without a secret that is itself at fault", () => {
    const env = {
      BLF_PRIVATE_KEY: `${KEY}99`,
      BLF_RPC_URL: "https://user:password-of-rpc@rpc.example/?key=0123456789abcdef",
    };
    expect(redacted(env, `got ${KEY}99 at password-of-rpc`)).toBe("got [redacted] at [redacted]");
    expect(redacted(env, "?key=0123456789abcdef")).toBe("?key=[redacted]");
  });

  it("is otherwise shown as it is, also before any environment is known", () => {
    const text = "listen EACCES: permission denied 127.0.0.1:80";
    expect(redacted(SOUND, text)).toBe(text);
    expect(createRedactor().redact(text)).toBe(text);
  });

  it("is shown without the secrets of every environment that it was told of", () => {
    const redactor = createRedactor();
    redactor.learn({ BLF_ADMIN_TOKEN: "the-token-of-the-environment" });
    redactor.learn({ GROQ_API_KEY: "gsk_of_the_settings_file" });
    expect(redactor.redact("the-token-of-the-environment gsk_of_the_settings_file")).toBe("[redacted] [redacted]");
  });
});

describe("the command", () => {
  const folder = mkdtempSync(join(tmpdir(), "blindference-edge-redactor-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("prints no secret of the settings file when it cannot start, nor in a stack trace", () => {
    writeFileSync(join(folder, "node.env"), `BLF_ADMIN_TOKEN=${SOUND.BLF_ADMIN_TOKEN}\n`);
    const main = fileURLToPath(new URL("main.ts", import.meta.url));
    // The worker's name stands for any foreign message that quotes a secret.
    const worker = join(folder, `${SOUND.BLF_ADMIN_TOKEN}.js`);
    const args = ["--debug", "run", "--port", "0", "--env-file", join(folder, "node.env"), "--worker", worker];
    const ran = spawnSync(process.execPath, [main, ...args, "--state", join(folder, "state")], {
      cwd: folder,
      env: { PATH: process.env.PATH },
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain("The node could not start");
    expect(ran.stderr).toContain("[redacted].js");
    expect(ran.stderr + ran.stdout).not.toContain(SOUND.BLF_ADMIN_TOKEN);
  }, 60_000);
});
