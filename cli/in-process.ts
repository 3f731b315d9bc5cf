/**
 * Runs a command line within a test's own process, with an environment of exactly what is given: for commands that only ask
 * and print. What it wrote is kept, nothing reaches the terminal.
 */
import { execute } from "./execute.ts";
import type { Ended } from "./run-command.ts";

/** One at a time: the streams and the environment are the process's. */
export async function inProcess(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const { env: own, exitCode } = process;
  const written = { stdout: "", stderr: "" };
  const writes = { stdout: process.stdout.write, stderr: process.stderr.write };
  const keep = (stream: "stdout" | "stderr") => {
    process[stream].write = (chunk: string | Uint8Array) => {
      written[stream] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      return true;
    };
  };
  process.env = { NO_COLOR: "1", ...env };
  process.exitCode = undefined;
  keep("stdout");
  keep("stderr");
  try {
    const code = await execute(args);
    return { code: code === 0 ? Number(process.exitCode ?? 0) : code, ...written };
  } finally {
    process.stdout.write = writes.stdout;
    process.stderr.write = writes.stderr;
    process.env = own;
    process.exitCode = exitCode;
  }
}
