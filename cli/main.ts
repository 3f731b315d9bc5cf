/**
 * The operator's command, `blindference-edge`: runs what was asked for and says what went wrong in the end, with an exit
 * code that scripts can use. Invariant: nothing of an error is printed before the redactor has seen it.
 */
import { type Command, CommanderError } from "commander";
import { NodeError } from "../core/errors.ts";
import { CliError, nodeFailure } from "./errors.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { createProgram } from "./program.ts";
import { redactor } from "./redactor.ts";

const program = createProgram();
redactor.learn(process.env);
overrideExits(program);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/** Commander has printed its own errors already; its help and version end well. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
  const known = error instanceof NodeError ? nodeFailure(error) : error;
  const say = (text: string) => process.stderr.write(redactor.redact(`${text}\n`));
  if (known instanceof CliError) {
    say(`error: ${known.message}`);
    if (known.fix !== null) say(`  fix: ${known.fix}`);
  } else {
    say(`Unexpected error: ${known instanceof Error ? known.message : String(known)}`);
    say("  fix: This is a bug. Run it again with --debug, and report what it prints.");
  }
  if (program.opts<{ debug?: true }>().debug === true && error instanceof Error) say(error.stack ?? "");
  return EXIT_CODES[known instanceof CliError ? known.exit : "failed"].code;
}

function overrideExits(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExits(child);
}
