import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createWrangler, installedWrangler, wranglerEnv } from "./wrangler.ts";

let folder: string;
let stop: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-wrangler-"));
  stop = new AbortController();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A program in wrangler's place. */
async function programmed(source: string) {
  const program = join(folder, "program.mjs");
  await writeFile(program, source);
  const redact = (text: string) => text.replaceAll("s3cret", "[redacted]");
  return createWrangler({ folder, env: { PATH: process.env.PATH }, redact, signal: stop.signal, program });
}

describe("what wrangler says", () => {
  it("is given with its output where it went well", async () => {
    const wrangler = await programmed("console.log(JSON.stringify(process.argv.slice(2)))");
    expect(await wrangler("d1", "list")).toEqual({ ok: true, stdout: '["d1","list"]\n', reason: "", code: null });
  });

  it("is told in its own words, without colours, advice and secrets, where it failed", async () => {
    const text = [
      "\u001b[31m✘ \u001b[41;31m[\u001b[41;97mERROR\u001b[41;31m]\u001b[0m \u001b[1mA request (/x) failed.\u001b[0m",
      "",
      "  The token s3cret is wrong [code: 10000]",
      "  ",
      "  If you think this is a bug, please open an issue at: https://example.com",
      "",
      '🪵  Logs were written to "/tmp/x.log"',
    ].join("\n");
    const wrangler = await programmed(`console.error(${JSON.stringify(text)}); process.exit(1)`);
    expect(await wrangler("whoami")).toEqual({
      ok: false,
      stdout: "",
      reason: "A request (/x) failed. The token [redacted] is wrong [code: 10000]",
      code: 10000,
    });
  });

  it("is at least its exit status", async () => {
    const wrangler = await programmed("process.exit(7)");
    expect(await wrangler("whoami")).toMatchObject({ ok: false, reason: "exit status 7" });
  });
});

describe("stopping", () => {
  it("ends wrangler and what it started, also where that hears no signal", async () => {
    const pidFile = join(folder, "pid");
    const inner = `process.on("SIGTERM", () => {}); require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => {}, 1000);`;
    const wrangler = await programmed(
      `import { spawn } from "node:child_process"; spawn(process.execPath, ["-e", ${JSON.stringify(inner)}], { stdio: "inherit" }); process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`,
    );
    const stopping = (async () => {
      while ((await readFile(pidFile, "utf8").catch(() => "")) === "") await sleep(20);
      stop.abort();
    })();
    await expect(wrangler("deploy")).rejects.toMatchObject({ exit: "interrupted" });
    await stopping;
    const pid = await readFile(pidFile, "utf8");
    // Gone, or dead and not yet collected.
    expect(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") Z ")).toContain(") Z ");
  }, 30_000);

  it("lets nothing start afterwards", async () => {
    stop.abort();
    const wrangler = await programmed("process.exit(0)");
    await expect(wrangler("deploy")).rejects.toMatchObject({ exit: "interrupted" });
  });
});

describe("wrangler's environment", () => {
  it("holds the login and the proxy, none of our settings, and no option that names a log or a target", () => {
    const env = wranglerEnv(
      {
        HOME: "/h",
        HTTPS_PROXY: "http://p",
        CLOUDFLARE_API_TOKEN: "t",
        CLOUDFLARE_ENV: "staging",
        WRANGLER_LOG: "debug",
        WRANGLER_LOG_PATH: "/var/log",
        WRANGLER_LOG_SANITIZE: "false",
        BLF_KEY_PASSWORD: "p",
        BLF_PRIVATE_KEY: "k",
        BLF_UNKNOWN: "u",
        GROQ_API_KEY: "g",
        PINATA_JWT: "j",
      },
      "/f",
    );
    expect(env).toMatchObject({ HOME: "/h", HTTPS_PROXY: "http://p", CLOUDFLARE_API_TOKEN: "t" });
    expect(env).toMatchObject({ WRANGLER_LOG_PATH: "/f/logs", WRANGLER_LOG_SANITIZE: "true" });
    const gone = /^(BLF_|GROQ|PINATA|CLOUDFLARE_ENV$|WRANGLER_LOG$)/;
    expect(Object.keys(env).filter((name) => gone.test(name))).toEqual([]);
  });

  it("is that of the version which this package names", async () => {
    const { version } = installedWrangler();
    const wanted = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    expect(version).toBe(wanted.dependencies.wrangler ?? wanted.devDependencies.wrangler);
  });
});
