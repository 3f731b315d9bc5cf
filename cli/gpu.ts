/**
 * Which NVIDIA cards this machine has, by asking `nvidia-smi`. Never throws and never waits for long: a tool that is absent,
 * hangs, fails or prints nonsense gives a reason instead. A card is of use only behind a model server.
 */
import { spawn } from "node:child_process";

export interface Gpu {
  name: string;
  memoryMib: number;
}

export type GpuReport = { gpus: readonly Gpu[]; reason: null } | { gpus: readonly []; reason: string };

const ARGS = ["--query-gpu=name,memory.total", "--format=csv,noheader"];
/** A driver that wakes up a sleeping card takes a few seconds. */
const TIMEOUT_MS = 8_000;
/** Of some hundred cards. */
const OUTPUT_MAX = 64 * 1024;

export async function detectGpus({ command = "nvidia-smi", timeoutMs = TIMEOUT_MS } = {}): Promise<GpuReport> {
  const run = await output(command, timeoutMs);
  if ("reason" in run) return { gpus: [], reason: run.reason };
  const lines = run.text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const gpus = lines.map(parse);
  if (gpus.length === 0) return { gpus: [], reason: "nvidia-smi lists no card" };
  const known = gpus.filter((gpu) => gpu !== null);
  if (known.length < gpus.length) return { gpus: [], reason: "nvidia-smi prints what cannot be read" };
  return { gpus: known, reason: null };
}

export function describeGpus({ gpus, reason }: GpuReport): string {
  if (reason !== null) return `No GPU: ${reason}. Cloud models need none.`;
  const cards = gpus.map(({ name, memoryMib }) => `${name} (${Math.round(memoryMib / 1024)} GiB)`).join(", ");
  return `GPU: ${cards}. To serve a model on it, start an OpenAI-compatible server such as vLLM and give its URL.`;
}

/** `NVIDIA H100 80GB HBM3, 81559 MiB` */
function parse(line: string): Gpu | null {
  const match = /^([\x20-\x7e]{1,100}?)\s*,\s*(\d{1,9}) MiB\s*$/.exec(line.trim());
  return match === null ? null : { name: match[1] ?? "", memoryMib: Number(match[2]) };
}

/** Resolves in time also where the tool's own children hold its output open: then they are killed with it. */
function output(command: string, timeoutMs: number): Promise<{ text: string } | { reason: string }> {
  return new Promise((resolve) => {
    // A group of its own, so that all of it can be ended.
    const child = spawn(command, ARGS, { stdio: ["ignore", "pipe", "ignore"], detached: true });
    let text = "";
    const end = (result: { text: string } | { reason: string }) => {
      clearTimeout(timer);
      if (child.exitCode === null && child.pid !== undefined) endGroup(child.pid);
      child.stdout.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => end({ reason: `nvidia-smi did not answer within ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.length > OUTPUT_MAX) end({ reason: "nvidia-smi prints what cannot be read" });
    });
    child.on("error", (error: NodeJS.ErrnoException) =>
      end({
        reason: error.code === "ENOENT" ? "nvidia-smi is not installed" : `nvidia-smi cannot be run (${error.code})`,
      }),
    );
    child.on("close", (code, signal) =>
      end(code === 0 ? { text } : { reason: `nvidia-smi failed (${signal ?? code})` }),
    );
  });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
