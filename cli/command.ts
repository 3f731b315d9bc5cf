/**
 * How a command is put together: its examples are part of its help and of docs/operate/cli.md, its options are the same
 * everywhere, and what it does gets one context instead of reaching for the process.
 */
import { Command, Option } from "commander";
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

const EXAMPLES = new WeakMap<Command, readonly string[]>();

/** @param examples command lines without `blindference-edge`, at least one; a ` # comment` may follow */
export function defineCommand(name: string, description: string, examples: readonly string[]): Command {
  const command = new Command(name).description(description).showHelpAfterError(true);
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

/** The context of one run of a command. */
export function contextFor(options: CommonOptions): Context {
  const io = createIo();
  const env = readEnvironment(io, options.envFile);
  return { io, env, api: createNodeApi(env, options) };
}
