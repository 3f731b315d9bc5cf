/** The machine's NVIDIA cards for `capabilities`: null where nvidia-smi did not say. Asked once an hour at most. */
import { tmpdir } from "node:os";
import { GPU_ARGS, GPU_TIMEOUT_MS, GPU_TOOL, type GpuReport, readGpus, type ToolOutput } from "../core/gpu.ts";
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
        last = { atMs: clock.now(), report: output(run, command).then(readGpus) };
      }
      return last.report;
    },
  };
}

async function output(run: RunTool, command: string): Promise<ToolOutput> {
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
  const outcome = await run({ command, args: GPU_ARGS, cwd: tmpdir(), env, timeoutMs: GPU_TIMEOUT_MS });
  switch (outcome.kind) {
    case "exit":
      return outcome.status === 0 ? { text: outcome.stdout } : { reason: `${GPU_TOOL} failed (${outcome.status})` };
    case "missing":
      return { reason: `${GPU_TOOL} is not installed` };
    case "denied":
      return { reason: `${GPU_TOOL} cannot be run (EACCES)` };
    case "timeout":
      return { reason: `${GPU_TOOL} did not answer within ${GPU_TIMEOUT_MS / 1000} s` };
  }
}
