/**
 * `devnet` and `demo`: both are the devnet's own program, started as a process. The command only passes its arguments
 * and signals on.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { Command } from "commander";

export function networkCommand(name: "devnet" | "demo", description: string): Command {
  return new Command(name)
    .description(`${description} (options: see \`${name} --help\`)`)
    .helpOption(false)
    .allowUnknownOption()
    .argument("[options...]")
    .action(async (options: string[]) => {
      process.exit(await runDevnet([name, ...options]));
    });
}

function runDevnet(args: string[]): Promise<number> {
  const program = fileURLToPath(new URL("./devnet.js", import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}
