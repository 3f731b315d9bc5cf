/** The operator's command, `blindference-edge`. One file a command; this one only puts them together. */
import { Command } from "commander";
import { VERSION } from "../core/version.ts";
import { networkCommand } from "./commands/network.ts";
import { runCommand } from "./commands/run.ts";
import { CliError } from "./errors.ts";

const program = new Command("blindference-edge")
  .description("A Blindference node without a server. TESTNET ONLY: never use keys that hold real funds.")
  .version(VERSION)
  .option("--debug", "show stack traces")
  .showHelpAfterError()
  .addCommand(runCommand())
  .addCommand(networkCommand("devnet", "Start a whole Blindference network on this machine and keep it up"))
  .addCommand(networkCommand("demo", "Send one encrypted prompt through a local network of three nodes"));

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CliError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`Unexpected error: ${error instanceof Error ? error.message : String(error)}\n`);
  if (program.opts().debug === true && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}
