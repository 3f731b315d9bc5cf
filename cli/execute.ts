/**
 * Runs a command line and says what went wrong in the end, with an exit code that scripts can use. Invariant: nothing of an
 * error is printed before the redactor has seen it.
 */
import { type Command, CommanderError } from "commander";
import { NodeError } from "../core/errors.ts";
import { CliError, nodeFailure } from "./errors.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { createProgram } from "./program.ts";
import { redactor } from "./redactor.ts";

/** @param args without the program's own name. @returns the exit code, where the command has set none itself */
export async function execute(args: readonly string[]): Promise<number> {
  const program = createProgram();
  redactor.learn(process.env);
  catchAll(program);
  try {
    await program.parseAsync(args, { from: "user" });
    return EXIT_CODES.ok.code;
  } catch (error) {
    return report(error, program.opts<{ debug?: true }>().debug === true);
  }
}

/** Commander has printed its own errors already; its help and version end well. */
function report(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
  const known = error instanceof NodeError ? nodeFailure(error) : error;
  if (known instanceof CliError) {
    say(known.exit === "interrupted" ? known.message : `error: ${known.message}`);
    if (known.fix !== null) say(`  fix: ${known.fix}`);
  } else {
    say(`Unexpected error: ${known instanceof Error ? known.message : String(known)}`);
    say("  fix: This is a bug. Run it again with --debug, and report what it prints.");
  }
  if (debug) for (const stack of stacksOf(error)) say(stack);
  return EXIT_CODES[known instanceof CliError ? known.exit : "failed"].code;
}

/** The error's and that of each error it came of. */
function stacksOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return [error.stack ?? String(error), ...stacksOf(error.cause).map((stack) => `caused by ${stack}`)];
}

function say(text: string): void {
  process.stderr.write(redactor.redact(`${text}\n`));
}

function catchAll(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: (text) => process.stderr.write(redactor.redact(text)) });
  for (const child of command.commands) catchAll(child);
}
