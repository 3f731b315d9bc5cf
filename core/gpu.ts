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

/** What came of the tool; `unreadable`: it printed too much. */
export type GpuToolOutcome =
  | { kind: "exit"; status: number | string; stdout: string }
  | { kind: "missing" }
  | { kind: "denied"; code?: string }
  | { kind: "timeout" }
  | { kind: "unreadable" };

export const GPU_TOOL = "nvidia-smi";
export const GPU_ARGS: readonly string[] = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"];
/** A driver that wakes up a sleeping card takes a few seconds. */
export const GPU_TIMEOUT_MS = 8_000;
/** Of some hundred cards. */
export const GPU_OUTPUT_MAX = 64 * 1024;

/** @param timeoutMs after which the tool was given up */
export function readGpus(outcome: GpuToolOutcome, timeoutMs: number = GPU_TIMEOUT_MS): GpuReport {
  switch (outcome.kind) {
    case "exit":
      return outcome.status === 0 ? listed(outcome.stdout) : none(`failed (${outcome.status})`);
    case "missing":
      return none("is not installed");
    case "denied":
      return none(`cannot be run (${outcome.code ?? "EACCES"})`);
    case "timeout":
      return none(`did not answer within ${timeoutMs / 1000} s`);
    case "unreadable":
      return none("prints what cannot be read");
  }
}

function listed(text: string): GpuReport {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const gpus = lines.map(parse);
  if (gpus.length === 0) return none("lists no card");
  const known = gpus.filter((gpu) => gpu !== null);
  return known.length < gpus.length ? none("prints what cannot be read") : { gpus: known, reason: null };
}

function none(what: string): GpuReport {
  return { gpus: [], reason: `${GPU_TOOL} ${what}` };
}

/** `NVIDIA H100 80GB HBM3, 81559 MiB, 570.86.15` */
function parse(line: string): Gpu | null {
  const match = /^([\x20-\x7e]{1,100}?)\s*,\s*(\d{1,9}) MiB\s*,\s*([\w.-]{1,40})\s*$/.exec(line.trim());
  return match === null ? null : { name: match[1] ?? "", memoryMib: Number(match[2]), driver: match[3] ?? "" };
}
