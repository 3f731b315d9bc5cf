/** The machine's NVIDIA cards for `capabilities`: null where nvidia-smi did not say. Asked once an hour at most. */
import { tmpdir } from "node:os";
import { GPU_ARGS, GPU_TIMEOUT_MS, GPU_TOOL, type GpuReport, readGpus } from "../core/gpu.ts";
import type { Clock } from "../core/ports.ts";
import { type RunTool, runTool } from "./attestation/run-tool.ts";

export interface Gpus {
  report(): Promise<GpuReport>;
}

/** Cards are not added to a running machine, but a driver may come up late. */
const FRESH_MS = 3_600_000;

export function createGpus(clock: Pick<Clock, "now">, run: RunTool = runTool, command: string = GPU_TOOL): Gpus {
  let last: { atMs: number; report: Promise<GpuReport> } | null = null;
  return {
    report() {
      if (last === null || clock.now() - last.atMs > FRESH_MS) {
        last = { atMs: clock.now(), report: ask(run, command) };
      }
      return last.report;
    },
  };
}

async function ask(run: RunTool, command: string): Promise<GpuReport> {
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
  return readGpus(await run({ command, args: GPU_ARGS, cwd: tmpdir(), env, timeoutMs: GPU_TIMEOUT_MS }));
}
