import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeGpus, detectGpus } from "./gpu.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "gpu-"));
});
afterAll(() => rm(dir, { recursive: true }));

/** A program in nvidia-smi's place. */
async function tool(name: string, script: string, mode = 0o755): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, mode);
  return path;
}

it("reads every card with its memory, and asks for nothing else", async () => {
  const command = await tool(
    "two",
    '[ "$*" = "--query-gpu=name,memory.total,driver_version --format=csv,noheader" ] || exit 9\necho "NVIDIA H100 80GB HBM3, 81559 MiB, 570.86.15"\necho "NVIDIA T4, 15360 MiB, 550.90"',
  );
  const report = await detectGpus({ command });
  expect(report).toEqual({
    gpus: [
      { name: "NVIDIA H100 80GB HBM3", memoryMib: 81_559, driver: "570.86.15" },
      { name: "NVIDIA T4", memoryMib: 15_360, driver: "550.90" },
    ],
    reason: null,
  });
  expect(describeGpus(report)).toContain("NVIDIA H100 80GB HBM3 (80 GiB), NVIDIA T4 (15 GiB)");
});

it.each([
  ["that is not installed", null, /not installed/],
  ["that fails", "echo 'NVIDIA-SMI has failed' >&2; exit 9", /failed \(9\)/],
  ["that is killed", "kill -9 $$", /failed \(SIGKILL\)/],
  ["that lists nothing", "exit 0", /lists no card/],
  ["that prints an error as its answer", "echo 'No devices were found'", /cannot be read/],
  [
    "that prints a table with a broken line",
    'echo "NVIDIA T4, 15360 MiB, 550.90"; echo "[Unknown Error], [N/A], [N/A]"',
    /cannot be read/,
  ],
  ["that prints bytes of another kind", "head -c 3000 /dev/urandom", /cannot be read|lists no card/],
  ["that never stops printing", "yes 'NVIDIA T4, 15360 MiB, 550.90'", /cannot be read/],
])("says what it found of a tool %s", async (what, script, reason) => {
  const command = script === null ? join(dir, "absent") : await tool(`tool-${what.length}`, script);
  const report = await detectGpus({ command });
  expect(report.gpus).toEqual([]);
  expect(report.reason).toMatch(reason);
  expect(describeGpus(report)).toMatch(/^No GPU: /);
});

it("gives a tool up that hangs, with the children that hold its output", async () => {
  const mark = join(dir, "pid");
  const command = await tool("hangs", `sleep 600 &\necho $! > ${mark}\nsleep 600`);
  const report = await detectGpus({ command, timeoutMs: 1_000 });
  expect(report.reason).toMatch(/did not answer within 1 s/);
});

it("says that a tool may not be run", async () => {
  const report = await detectGpus({ command: await tool("closed", "exit 0", 0o644) });
  expect(report.reason).toMatch(/cannot be run \(EACCES\)/);
});
