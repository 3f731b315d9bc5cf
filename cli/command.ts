/**
 * How a command is put together: its examples are part of its help and of docs/operate/cli.md, its options are the same
 * everywhere, and what it does gets one context instead of reaching for the process.
 */
import { Command, type HelpContext, InvalidArgumentError, Option } from "commander";
import { type Environment, readEnvironment } from "./environment.ts";
import { createIo, type Io } from "./io.ts";
import { createNodeApi, type NodeApi } from "./node-api.ts";

export interface CommonOptions {
  json?: boolean;
  envFile?: string;
  url?: string;
  node?: string;
  yes?: boolean;
}

export interface Context {
  io: Io;
  env: Environment;
  /** The running or deployed node that is meant; asks nothing before its first call. */
  api: NodeApi;
}

/** Said after every wrong command line. */
const HINT = "(add --help for the command's options and examples)";
const EXAMPLES = new WeakMap<Command, readonly string[]>();

/** Asked for nothing, a command that has others under it shows its help, as `gh` does: that is no error. */
class EdgeCommand extends Command {
  override help(context?: HelpContext | ((text: string) => string)): never {
    return super.help(typeof context === "function" ? undefined : { ...context, error: false });
  }
}

/** The command of all commands. */
export function defineProgram(name: string, description: string): Command {
  return new EdgeCommand(name).description(description).showHelpAfterError(HINT);
}

/** @param examples command lines without `blindference-edge`, at least one; a ` # comment` may follow */
export function defineCommand(name: string, description: string, examples: readonly string[]): Command {
  const command = defineProgram(name, description);
  EXAMPLES.set(command, examples);
  const lines = examples.map((line) => `  $ blindference-edge ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES.get(command) ?? [];
}

const COMMON = {
  json: new Option("--json", "print the answer as JSON"),
  envFile: new Option("--env-file <file>", "settings file (default: .env in BLF_CONFIG_DIR or here)"),
  url: new Option("--url <url>", "the node to talk to (default: BLF_NODE_URL, else http://127.0.0.1:8787)"),
  node: new Option("--node <address>", "one node of a deployment that has several"),
  yes: new Option("-y, --yes", "do not ask"),
} as const;

export function withOptions(command: Command, ...names: (keyof typeof COMMON)[]): Command {
  for (const name of names) command.addOption(COMMON[name]);
  return command;
}

/** Reads an option's value; commander says which option it was. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`must be ${min} to ${max}.`);
    return value;
  };
}

/** The context of one run of a command. */
export function contextFor(options: CommonOptions): Context {
  const io = createIo();
  const env = readEnvironment(io, options.envFile);
  return { io, env, api: createNodeApi(env, options) };
}
