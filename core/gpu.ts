/**
 * Which NVIDIA cards a machine has, in the words of `nvidia-smi`. It runs nothing itself: the command and the sidecar each
 * hand in their way of running a tool. Never throws: a tool that is absent, hangs, fails or prints nonsense gives a reason.
 */

export interface Gpu {
  name: string;
  memoryMib: number;
  driver: string;
}

export type GpuReport = { gpus: readonly Gpu[]; reason: null } | { gpus: readonly []; reason: string };

/** What came of a tool: its standard output, or why there is none. */
export type ToolOutput = { text: string } | { reason: string };

export const GPU_TOOL = "nvidia-smi";
export const GPU_ARGS: readonly string[] = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"];
/** A driver that wakes up a sleeping card takes a few seconds. */
export const GPU_TIMEOUT_MS = 8_000;
/** Of some hundred cards. */
export const GPU_OUTPUT_MAX = 64 * 1024;

export function readGpus(output: ToolOutput): GpuReport {
  if ("reason" in output) return { gpus: [], reason: output.reason };
  const lines = output.text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const gpus = lines.map(parse);
  if (gpus.length === 0) return { gpus: [], reason: `${GPU_TOOL} lists no card` };
  const known = gpus.filter((gpu) => gpu !== null);
  if (known.length < gpus.length) return { gpus: [], reason: `${GPU_TOOL} prints what cannot be read` };
  return { gpus: known, reason: null };
}

/** `NVIDIA H100 80GB HBM3, 81559 MiB, 570.86.15` */
function parse(line: string): Gpu | null {
  const match = /^([\x20-\x7e]{1,100}?)\s*,\s*(\d{1,9}) MiB\s*,\s*([\w.-]{1,40})\s*$/.exec(line.trim());
  return match === null ? null : { name: match[1] ?? "", memoryMib: Number(match[2]), driver: match[3] ?? "" };
}
