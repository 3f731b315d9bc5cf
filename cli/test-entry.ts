/**
 * The commands of the wallet and the checks as a program of their own, which tests start from source. Ends as the command
 * does: the message, the fix and the exit code of a CliError, and nothing of an unexpected error but its name.
 */
import { Command, CommanderError } from "commander";
import { doctorCommand } from "./commands/doctor.ts";
import { initCommand } from "./commands/init.ts";
import { keysCommand } from "./commands/keys.ts";
import { testDeterminismCommand } from "./commands/test-determinism.ts";
import { CliError } from "./errors.ts";
import { EXIT_CODES } from "./exit-codes.ts";

const program = new Command("blindference-edge")
  .addCommand(initCommand())
  .addCommand(doctorCommand())
  .addCommand(keysCommand())
  .addCommand(testDeterminismCommand());

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exit(EXIT_CODES.usage.code);
  if (!(error instanceof CliError)) throw error;
  process.stderr.write(`${error.message}\n${error.fix === null ? "" : `fix: ${error.fix}\n`}`);
  process.exit(EXIT_CODES[error.exit].code);
}
