/**
 * Which NVIDIA cards this machine has, by asking `nvidia-smi`. Never throws and never waits for long: a tool that is absent,
 * hangs, fails or prints nonsense gives a reason instead. A card is of use only behind a model server.
 */
import { spawn } from "node:child_process";
import {
  GPU_ARGS,
  GPU_OUTPUT_MAX,
  GPU_TIMEOUT_MS,
  GPU_TOOL,
  type GpuReport,
  type GpuToolOutcome,
  readGpus,
} from "../core/gpu.ts";

export type { GpuReport };

export async function detectGpus({ command = GPU_TOOL, timeoutMs = GPU_TIMEOUT_MS } = {}): Promise<GpuReport> {
  return readGpus(await outcomeOf(command, timeoutMs), timeoutMs);
}

export function describeGpus({ gpus, reason }: GpuReport): string {
  if (reason !== null) return `No GPU: ${reason}. Cloud models need none.`;
  const cards = gpus.map(({ name, memoryMib }) => `${name} (${Math.round(memoryMib / 1024)} GiB)`).join(", ");
  return `GPU: ${cards}. To serve a model on it, start an OpenAI-compatible server such as vLLM and give its URL.`;
}

/** Resolves in time also where the tool's own children hold its output open: then they are killed with it. */
function outcomeOf(command: string, timeoutMs: number): Promise<GpuToolOutcome> {
  return new Promise((resolve) => {
    // A group of its own, so that all of it can be ended.
    const child = spawn(command, GPU_ARGS, { stdio: ["ignore", "pipe", "ignore"], detached: true });
    let text = "";
    const end = (result: GpuToolOutcome) => {
      clearTimeout(timer);
      if (child.exitCode === null && child.pid !== undefined) endGroup(child.pid);
      child.stdout.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end({ kind: "timeout" }), timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.length > GPU_OUTPUT_MAX) end({ kind: "unreadable" });
    });
    child.on("error", ({ code }: NodeJS.ErrnoException) =>
      end(code === "ENOENT" ? { kind: "missing" } : { kind: "denied", code: code ?? "no reason given" }),
    );
    child.on("close", (code, signal) => end({ kind: "exit", status: signal ?? code ?? 1, stdout: text }));
  });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
