import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runTool } from "./run-tool.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "blf-tool-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (script: string, timeoutMs = 20_000) =>
  runTool({
    command: process.execPath,
    args: ["-e", script],
    cwd: folder,
    env: { ONLY: "this" },
    timeoutMs,
  });

describe("a tool", () => {
  it("gives its output and its status", async () => {
    const outcome = await run("console.log('out'); console.error('err'); process.exitCode = 3");
    expect(outcome).toEqual({ kind: "exit", status: 3, stdout: "out\n", stderr: "err\n" });
    expect(await run("")).toMatchObject({ kind: "exit", status: 0 });
  });

  it("sees the environment it is given and no other", async () => {
    const outcome = await run("console.log(process.env.ONLY, process.env.HOME, process.cwd())");
    expect(outcome).toMatchObject({ stdout: expect.stringMatching(/^this undefined \S+\n$/) });
  });

  it("that does not end is killed", async () => {
    expect(await run("setInterval(() => {}, 1000)", 300)).toEqual({ kind: "timeout" });
  });

  it("that dies is a failure and no time-out", async () => {
    expect(await run("process.kill(process.pid, 'SIGTERM')")).toMatchObject({ kind: "exit", status: 1 });
  });

  it("that prints without end is stopped", async () => {
    const outcome = await run("for (;;) require('fs').writeSync(1, 'x'.repeat(65536))");
    expect(outcome).toMatchObject({ kind: "exit", status: 1 });
  });

  it("that is not there, or may not be run, is told apart", async () => {
    const env = { PATH: folder };
    const call = { args: [], cwd: folder, env, timeoutMs: 1_000 };
    expect(await runTool({ ...call, command: "no-such-command" })).toEqual({ kind: "missing" });
    await writeFile(join(folder, "closed"), "#!/bin/sh\n");
    await chmod(join(folder, "closed"), 0o644);
    expect(await runTool({ ...call, command: join(folder, "closed") })).toEqual({ kind: "denied" });
  });
});
