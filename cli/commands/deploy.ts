/**
 * `deploy`: the node on Cloudflare. Says what it will do and asks before doing it. Stopped in the middle it leaves nothing
 * half done that a second run does not find again.
 */
import { type Command, InvalidArgumentError } from "commander";
import { contextFor, defineCommand, withOptions } from "../command.ts";
import { DATABASE_PATTERN, DEFAULT_NAME, NAME_PATTERN } from "../deploy/config.ts";
import { type Deployed, type DeployOptions, deploy } from "../deploy/deploy.ts";
import type { Io } from "../io.ts";

interface Options extends DeployOptions {
  envFile?: string;
}

export function deployCommand(): Command {
  const command = defineCommand("deploy", "Put the node on Cloudflare, or update the one that is there", [
    "deploy --dry-run    # says what it would do",
    "deploy",
    "deploy --yes --json --name my-node",
  ])
    .option("--name <name>", "the Worker's name, also that of its database", workerName, DEFAULT_NAME)
    .option("--account <id>", "Cloudflare account (default: CLOUDFLARE_ACCOUNT_ID, else the only one of your login)")
    .option("--database <name>", "D1 database of the history, if it has another name than the Worker", databaseName)
    .option("--dry-run", "say what would be done, and stop")
    .option("--immediate", "restart running nodes at once; otherwise within five minutes, when their requests are done")
    .option("--overwrite", "also where the Worker of this name is another program's")
    .option("--url <url>", "where the node will answer, if not at its workers.dev address")
    .option("--worker <file>", "another build of the Worker");
  return withOptions(command, "yes", "json", "envFile").action(async (options: Options) => {
    const { io, env } = contextFor(options.envFile === undefined ? {} : { envFile: options.envFile });
    const result = await untilSignal((signal) => deploy(options, io, env, signal));
    if (options.json === true) io.json(result);
    else tell(io, options, result);
  });
}

function tell(io: Io, { name }: Options, { deployed }: Deployed): void {
  if (deployed === null) {
    io.print("Nothing was done: this was a dry run.");
    return;
  }
  const { url, attest } = deployed;
  io.print();
  io.print(`${io.paint("green", "The node is on Cloudflare")}: ${io.paint("bold", url)}`);
  io.print(attest === "attested" ? "It answers, and is attested." : "It answers.");
  io.print("Testnet only: never use a key that holds real funds.");
  io.print();
  io.print("Next:");
  io.print("  blindference-edge status           # what it does");
  io.print("  blindference-edge staking status   # 1000 BLIND are needed to get jobs");
  io.print("  blindference-edge logs             # what happens there");
  io.print(`  npx wrangler rollback --name ${name}   # back to the version before`);
}

function workerName(text: string): string {
  if (!NAME_PATTERN.test(text)) {
    throw new InvalidArgumentError("must be lowercase letters, digits and hyphens, at most 63");
  }
  return text;
}

function databaseName(text: string): string {
  if (!DATABASE_PATTERN.test(text)) {
    throw new InvalidArgumentError("must be lowercase letters, digits, hyphens and underscores, at most 63");
  }
  return text;
}

/** Ctrl-C ends the work in order: what runs is stopped, and what is temporary removed. */
async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  try {
    return await work(stopped.signal);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, stop);
  }
}
