/**
 * `run`: a node on this machine. Settings come from the environment, and from a `.env` file for what the environment
 * leaves out. Faulty settings do not stop it: like the deployed Worker it starts, says what is wrong, and claims
 * nothing. Ends cleanly on Ctrl-C; state stays in the state folder.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { readSettings } from "../../core/settings/settings.ts";
import { defineCommand, wholeNumber, withOptions } from "../command.ts";
import { readEnvironment } from "../environment.ts";
import { CliError } from "../errors.ts";
import { createIo } from "../io.ts";
import { startLocalWorker } from "../local-worker.ts";
import { redactor } from "../redactor.ts";

interface RunOptions {
  port: number;
  host: string;
  state: string;
  envFile?: string;
  worker?: string;
  json?: true;
  withParent?: true;
}

export function runCommand(): Command {
  const command = defineCommand(
    "run",
    "Run a node on this machine: the same Worker that gets deployed, in workerd, with its state on disk",
    ["run", "run --port 9000 --state /var/lib/blindference --env-file node.env"],
  )
    .option("--port <port>", "port to listen on, 0 for a free one", wholeNumber(0, 65535), 8787)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--state <folder>", "where the node keeps its state", "./.blindference-edge")
    .option("--worker <file>", "another build of the Worker to run")
    .option("--json", "print one JSON line when ready")
    .option("--with-parent", "stop when standard input ends, so that the node never outlives what started it")
    .addHelpText("after", "\nSettings: docs/operate/settings.md");
  return withOptions(command, "envFile").action(run);
}

async function run(options: RunOptions): Promise<void> {
  const bindings = await readEnvironment(createIo(), options.envFile).forWorker();
  const { faults, notes } = readSettings(bindings);
  for (const note of notes) process.stderr.write(`note: ${note.message}\n`);
  for (const fault of faults) {
    process.stderr.write(`${fault.severity}: ${fault.setting}: ${fault.message}\n  fix: ${fault.fix}\n`);
  }
  if (faults.some((fault) => fault.severity === "fault")) {
    process.stderr.write("The node starts but claims nothing until these are fixed.\n");
  }
  const worker = await startLocalWorker({
    ...(options.worker === undefined ? {} : { script: resolve(options.worker) }),
    stateDir: resolve(options.state),
    host: options.host,
    port: options.port,
    bindings,
    onLog: (line) => process.stdout.write(`${redactor.redact(line)}\n`),
  }).catch((error: unknown) => {
    throw startError(error, options);
  });
  const stopped = stopSignal(options.withParent === true);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ url: worker.url, pid: process.pid })}\n`);
  else process.stdout.write(`Blindference Edge is listening on ${worker.url} (testnet only). Ctrl-C stops it.\n`);
  await stopped;
  await worker.stop();
  process.exit(0);
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP, or at the end of standard input where asked. */
function stopSignal(withParent: boolean): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      // Miniflare's own listener would end the process before the Worker is shut down in order.
      process.removeAllListeners(signal);
      process.on(signal, () => resolve());
    }
    if (withParent) process.stdin.resume().on("end", resolve).on("close", resolve);
  });
}

function startError(error: unknown, options: RunOptions): CliError {
  const text = error instanceof Error ? error.message : String(error);
  if (/EADDRINUSE|address already in use/i.test(text)) {
    return new CliError(`Port ${options.port} is taken. Stop what listens there, or choose another with --port.`);
  }
  return new CliError(`The node could not start: ${text}`);
}
