/** Runs `deploy` as a process of its own, the way the launcher does, on the sources: `node command.ts deploy …`. */
import { Command } from "commander";
import { deployCommand } from "../../cli/commands/deploy.ts";
import { CliError } from "../../cli/errors.ts";
import { EXIT_CODES } from "../../cli/exit-codes.ts";

try {
  await new Command("blindference-edge").addCommand(deployCommand()).parseAsync(process.argv);
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  process.stderr.write(`${error.message}\n${error.fix ?? ""}\n`);
  process.exitCode = EXIT_CODES[error.exit].code;
}
