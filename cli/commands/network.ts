/**
 * `devnet`, `demo` and `ask`: all are the devnet's own program, started as a process. The command describes their
 * options, which are the program's (scripts/cli-doc.test.ts compares them), and passes on what was given, and signals.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import { defineCommand } from "../command.ts";

export function devnetCommand(): Command {
  const command = defineCommand("devnet", "Start a whole Blindference network on this machine and keep it up", [
    "devnet",
    "devnet --nodes 5 --models mock:demo,mock:other --state /tmp/devnet --fresh",
    "devnet --no-nodes --json  # the network alone, for a node of your own",
  ])
    .option("--nodes <count>", "edge nodes to start, at most 16", "3")
    .option("--no-nodes", "the network alone, for nodes of your own")
    .option("--models <ids>", "models the nodes serve, comma-separated", "mock:demo")
    .addOption(
      new Option("--verifiers <when>", "when verifiers are offered a job: at once, or after the leader's result")
        .choices(["early", "late"])
        .default("early"),
    )
    .option("--state <folder>", "where the network keeps its state", ".devnet")
    .option("--fresh", "wipe the state first")
    .option("--rpc-port <port>", "chain (default: a free port; the same for those below)")
    .option("--icl-port <port>", "coordinator")
    .option("--payment-port <port>", "payment service")
    .option("--ipfs-port <port>", "IPFS gateway and pinning API")
    .option("--models-port <port>", "test model servers: this port and the next two")
    .option("--node-port <port>", "first node; the others follow")
    .option("--json", "print one JSON line with everything once it is up");
  return command.action(() => hand(command));
}

export function demoCommand(): Command {
  const command = defineCommand("demo", "Send one encrypted prompt through a local network of three edge nodes", [
    "demo",
    'demo --prompt "What is 2+2?" --json',
    "demo --model groq:llama-3.3-70b-versatile  # with GROQ_API_KEY",
  ])
    .option("--prompt <text>", "what the user asks", "In one sentence: why would anyone encrypt a prompt?")
    .option(
      "--model <id>",
      "groq:… with GROQ_API_KEY, gemini:… with GOOGLE_API_KEY, or mock:NAME (default: what the keys allow)",
    )
    .option("--verifiers <when>", "early or late", "early")
    .option("--state <folder>", "where the demo keeps its state; wiped first", ".devnet/demo")
    .option("--json", "end with one JSON line");
  return command.action(() => hand(command));
}

export function askCommand(): Command {
  const command = defineCommand("ask", "Send one encrypted prompt through a devnet that is up", [
    "ask",
    'ask --prompt "What is 2+2?" --json',
  ])
    .option("--prompt <text>", "what the user asks", "What is 2+2?")
    .option("--model <id>", "one that three of its nodes serve", "mock:demo")
    .option("--state <folder>", "where that devnet keeps its state", ".devnet")
    .option("--json", "print the result as one JSON line");
  return command.action(() => hand(command));
}

/** What was given on the command line, as the devnet's program reads it; defaults are its own to fill in. */
export function argumentsOf(command: Command): string[] {
  const values: Record<string, unknown> = command.opts();
  const given = command.options.flatMap((option) => {
    const name = option.attributeName();
    const value = values[name];
    if (command.getOptionValueSource(name) !== "cli" || option.negate !== (value === false)) return [];
    return typeof value === "string" ? [`${option.long}=${value}`] : [option.long ?? ""];
  });
  return [command.name(), ...given];
}

async function hand(command: Command): Promise<void> {
  process.exit(await runDevnet(argumentsOf(command)));
}

function runDevnet(args: readonly string[]): Promise<number> {
  const program = fileURLToPath(new URL("./devnet.js", import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}
