/**
 * `sidecar`: runs the sidecar on this machine, as a process of its own. The keystore is opened here, where a password can
 * be asked for, and all settings are handed over through a pipe: neither its environment nor its command line holds a
 * secret. The pipe stays open for as long as this process lives; its end stops the sidecar in order.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { SETTING_NAMES } from "../../core/settings/settings.ts";
import { SIDECAR_SETTING_NAMES } from "../../core/settings/sidecar.ts";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { CLI_SETTINGS } from "../environment.ts";
import { CliError } from "../errors.ts";
import { sidecarKeysCommand } from "./sidecar-keys.ts";

interface Options extends CommonOptions {
  withParent?: true;
}

/** The first descriptor behind input, output and errors. */
const SETTINGS_FD = 3;
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function sidecarCommand(): Command {
  const command = defineCommand(
    "sidecar",
    "Run the sidecar on this machine: the models, CoFHE, attestation and the node's key, behind signed HTTP",
    ["sidecar", "sidecar --env-file sidecar.env", "sidecar keys"],
  )
    .option("--with-parent", "stop when standard input ends, so that the sidecar never outlives what started it")
    .addHelpText("after", "\nSettings: docs/operate/settings.md. Its log is one JSON object a line.");
  return withOptions(command, "envFile").addCommand(sidecarKeysCommand()).action(run);
}

async function run(options: Options): Promise<void> {
  const { env } = contextFor(options);
  const child = start(await env.forSidecar());
  for (const signal of STOP_SIGNALS) process.on(signal, () => void child.kill(signal));
  if (options.withParent === true) {
    const stop = () => void child.kill("SIGTERM");
    process.stdin.resume().on("end", stop).on("close", stop);
  }
  process.exit(await ended(child));
}

function start(settings: Readonly<Record<string, string>>): ChildProcess {
  const program = fileURLToPath(new URL("./sidecar.js", import.meta.url));
  if (!existsSync(program)) throw new CliError(`There is no ${program}.`, { fix: "Run `npm run build`." });
  const child = spawn(process.execPath, [program, "--settings-fd", String(SETTINGS_FD)], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: withoutSettings(process.env),
  });
  const pipe = child.stdio[SETTINGS_FD];
  if (pipe == null || !("write" in pipe)) throw new CliError("The sidecar's settings could not be handed over.");
  // Where it ends first, its own log says why.
  pipe.on("error", () => undefined);
  pipe.write(`${JSON.stringify(settings)}\n`);
  return child;
}

/** What the machine has of its own, such as PATH and CUDA_VISIBLE_DEVICES. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const settings: readonly string[] = [...SETTING_NAMES, ...SIDECAR_SETTING_NAMES, ...CLI_SETTINGS];
  return Object.fromEntries(Object.entries(env).filter(([name]) => !settings.includes(name) && !/^BLF_/i.test(name)));
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new CliError(`The sidecar could not be started: ${error.message}.`)));
    child.once("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}
