/**
 * Runs one command to its end: no shell, a bounded time after which it is killed, bounded output, an environment of its own
 * (the sidecar's holds secrets). It judges no exit status.
 */
import { execFile } from "node:child_process";

export interface ToolCall {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/** `exit`: it ran to its end. `missing`: there is no such command. `denied`: it may not be run. `timeout`: it was killed. */
export type ToolOutcome =
  | { kind: "exit"; status: number; stdout: string; stderr: string }
  | { kind: "missing" }
  | { kind: "denied" }
  | { kind: "timeout" };

export type RunTool = (call: ToolCall) => Promise<ToolOutcome>;

const MAX_OUTPUT_BYTES = 1_048_576;

export const runTool: RunTool = ({ command, args, cwd, env, timeoutMs }) =>
  new Promise((resolve) => {
    const options = { cwd, env, timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: MAX_OUTPUT_BYTES } as const;
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ kind: "exit", status: 0, stdout, stderr });
      if (error.code === "ENOENT") return resolve({ kind: "missing" });
      if (error.code === "EACCES") return resolve({ kind: "denied" });
      if (error.killed === true && typeof error.code !== "string") return resolve({ kind: "timeout" });
      resolve({ kind: "exit", status: typeof error.code === "number" ? error.code : 1, stdout, stderr });
    });
  });
