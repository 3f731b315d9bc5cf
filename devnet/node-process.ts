/**
 * An edge node as a process: the built `blindference-edge run`, with its own state folder and settings. It ends with
 * `stop`, and with this process however that ends, because it watches its standard input. Its log goes to a file; every
 * line is also handed to `onLog`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface NodeProcessOptions {
  /** The launcher, `bin/blindference-edge.js`. */
  program: string;
  name: string;
  stateDir: string;
  env: Record<string, string>;
  /** 0 takes a free one. */
  port?: number;
  /** Another build of the Worker. */
  worker?: string;
  onLog?(line: NodeLogLine): void;
}

/** A line of the Worker's structured log. */
export interface NodeLogLine {
  event: string;
  level: string;
  time: string;
  [field: string]: unknown;
}

export interface NodeProcess {
  name: string;
  url: string;
  pid: number;
  /** Ends the node in order. */
  stop(): Promise<void>;
  /** SIGKILL for the node and its workerd at once, as a power cut would. */
  kill(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 8_000;
/** What a node process gets of our own environment: never the settings of whoever runs the devnet. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot"];

export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  await mkdir(options.stateDir, { recursive: true });
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const worker = options.worker === undefined ? [] : ["--worker", options.worker];
  const child = spawn(
    process.execPath,
    [
      options.program,
      "run",
      "--json",
      "--with-parent",
      "--port",
      `${options.port ?? 0}`,
      "--state",
      join(options.stateDir, "state"),
      ...worker,
    ],
    {
      cwd: options.stateDir,
      // A group of its own, so that `kill` reaches workerd too and Ctrl-C reaches only us.
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...Object.fromEntries(inherited), ...options.env },
    },
  );
  const exited = once(child, "exit");
  exited.catch(() => undefined);
  // The pipe breaks when the node goes first; nothing to do about it.
  child.stdin?.on("error", () => undefined);
  try {
    const url = await readOutput(child, options);
    const pid = child.pid as number;
    return { name: options.name, url, pid, stop: () => stop(child, exited), kill: () => kill(child, exited) };
  } catch (error) {
    await kill(child, exited);
    throw error;
  }
}

/** Follows the node's output for as long as it runs; resolves with its URL once it is ready. */
function readOutput(child: ChildProcess, options: NodeProcessOptions): Promise<string> {
  const file = createWriteStream(join(options.stateDir, "node.log"), { flags: "a" });
  const complaints: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${options.name} did not start in time`)), READY_TIMEOUT_MS);
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      file.write(`${line}\n`);
      const parsed = parseLine(line);
      if (typeof parsed?.url === "string") {
        clearTimeout(timer);
        resolve(parsed.url);
      } else if (typeof parsed?.event === "string") options.onLog?.(parsed as NodeLogLine);
    });
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      file.write(`${line}\n`);
      if (complaints.length < 20) complaints.push(line);
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      file.end();
      reject(new Error(`${options.name} ended (${code ?? signal}): ${complaints.join("\n")}`));
    });
  });
}

function parseLine(line: string): Record<string, unknown> | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

async function stop(child: ChildProcess, exited: Promise<unknown[]>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = new AbortController();
  const tooLong = new Promise((resolve) => {
    const handle = setTimeout(resolve, STOP_TIMEOUT_MS, "late");
    timer.signal.addEventListener("abort", () => clearTimeout(handle));
  });
  const outcome = await Promise.race([exited, tooLong]);
  timer.abort();
  if (outcome === "late") await kill(child, exited);
}

async function kill(child: ChildProcess, exited: Promise<unknown[]>): Promise<void> {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
  await exited;
}
