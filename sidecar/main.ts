/**
 * The sidecar's process: `node dist/sidecar.js [--settings-fd N]`. Settings come from the environment, and from a pipe
 * where its parent has opened a keystore: what comes through that is in no environment and on no command line. One JSON
 * object a line on standard output. SIGTERM, SIGINT and the pipe's end stop it in order, with status 0.
 */
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { toFailure } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { type Log, systemClock } from "../core/ports.ts";
import { secretsIn } from "../core/settings/secrets.ts";
import { readSidecarSettings } from "../core/settings/sidecar.ts";
import { startSidecar } from "./start.ts";

/** As the command's: a wrong setting, anything else. */
const EXIT = { settings: 2, failed: 1 } as const;
const texts = z.record(z.string(), z.string());

async function main(): Promise<void> {
  const given = await settingsFromParent();
  const env = { ...process.env, ...given.env };
  const { settings, faults, notes } = readSidecarSettings(env);
  const level = settings?.node.logLevel ?? "info";
  const log = createLog(write, { level, clock: systemClock, secrets: secretsIn(env) });
  for (const { setting, message } of notes) log("debug", "settings.note", { setting, message });
  for (const { code, setting, message, fix, severity } of faults) {
    log(severity === "fault" ? "error" : "warn", "settings.fault", { code, setting, message, fix });
  }
  if (settings === null) return end(EXIT.settings);
  process.on("uncaughtException", (error) => crash(log, error));
  const packageRoot = fileURLToPath(new URL("..", import.meta.url));
  try {
    const sidecar = await startSidecar({ settings, packageRoot, log });
    const stop = () => {
      sidecar.stop().then(
        () => end(0),
        (error: unknown) => crash(log, error),
      );
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
    void given.ended.then(stop);
  } catch (error) {
    const { code, message, hint } = toFailure(error);
    log("error", "sidecar.failed", { code, reason: message, hint });
    end(code === "settings" || code === "storage-key" ? EXIT.settings : EXIT.failed);
  }
}

/** One line of JSON, then nothing for as long as the parent lives. */
async function settingsFromParent(): Promise<{ env: Record<string, string>; ended: Promise<unknown> }> {
  const at = process.argv.indexOf("--settings-fd");
  const fd = Number(process.argv[at + 1]);
  if (at < 0 || !Number.isInteger(fd) || fd < 3) return { env: {}, ended: new Promise(() => undefined) };
  // A pipe of Node's is a socket, which cannot be read as a file.
  const stream = new Socket({ fd, readable: true, writable: false });
  stream.on("error", () => stream.destroy());
  const ended = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  const lines = createInterface({ input: stream });
  const line = await new Promise<string>((resolve) => {
    lines.once("line", (text: string) => resolve(text));
    lines.once("close", () => resolve("{}"));
  });
  return { env: texts.parse(JSON.parse(line)), ended };
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

function crash(log: Log, error: unknown): void {
  const { code, message } = toFailure(error);
  log("error", "sidecar.crashed", { code, reason: message });
  end(EXIT.failed);
}

/** After everything that was written is out. */
function end(code: number): void {
  process.stdout.write("", () => process.exit(code));
}

// What it writes is for its user alone.
process.umask(0o077);
// Whoever read the log is gone: no reason to stop working.
process.stdout.on("error", () => undefined);
await main();
