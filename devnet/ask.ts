/**
 * `ask`: one encrypted prompt through a devnet that is up, by the settings that it wrote for nodes. The user is the devnet's
 * own account. Invariant: the exit code is 0 only for an accepted job whose answer is the one the leader committed to.
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { Command } from "commander";
import * as z from "zod";
import { DEV_ROLES, devAccount } from "./chain/accounts.ts";
import { OWN_NODE } from "./devnet-command.ts";
import { runUserJob, type UserResult } from "./user/user.ts";

interface AskOptions {
  prompt: string;
  model: string;
  state: string;
  json?: true;
}

const address = z.templateLiteral(["0x", z.string().regex(/^[0-9a-fA-F]{40}$/)]);
const nodeSettings = z.object({
  BLF_ICL_ENDPOINT: z.url(),
  BLF_RPC_URL: z.url(),
  BLF_PROMPT_KEY_STORE_ADDRESS: address,
  PINATA_GATEWAY_URL: z.url(),
});

export function askCommand(finish: (code: number) => void): Command {
  return new Command("ask")
    .description("Send one encrypted prompt through a devnet that is up")
    .option("--prompt <text>", "what the user asks", "What is 2+2?")
    .option("--model <id>", "one that three of its nodes serve", "mock:demo")
    .option("--state <folder>", "where that devnet keeps its state", ".devnet")
    .option("--json", "print the result as one JSON line")
    .action(async (options: AskOptions) => finish(await runAsk(options)));
}

async function runAsk({ prompt, model, state, json }: AskOptions): Promise<number> {
  const settings = await readNodeSettings(join(resolve(state), OWN_NODE, ".env"));
  const result = await runUserJob({
    coordinatorUrl: settings.BLF_ICL_ENDPOINT,
    chain: { rpcUrl: settings.BLF_RPC_URL, promptKeyStore: settings.BLF_PROMPT_KEY_STORE_ADDRESS },
    ipfsGatewayUrl: settings.PINATA_GATEWAY_URL,
    account: devAccount(DEV_ROLES.user),
    modelId: model,
    prompt,
  });
  process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : told(result));
  return result.status === "ACCEPTED" && result.answer !== null ? 0 : 1;
}

function told({ status, jobId, leader, verifiers, confirmations, answer }: UserResult): string {
  const lines = [
    `job        ${jobId}`,
    `leader     ${leader}`,
    `verifiers  ${verifiers.join(", ")}`,
    `verdict    ${status}: ${confirmations} of ${verifiers.length + 1} hashes agree`,
    ...(answer === null ? [] : [`answer     ${answer.trim()}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Throws where no devnet has written them. */
async function readNodeSettings(path: string): Promise<z.output<typeof nodeSettings>> {
  const text = await readFile(path, "utf8").catch(() => {
    throw new Error(`There is no ${path}: start the network first, with \`npm run devnet\`.`);
  });
  return nodeSettings.parse(parseEnv(text));
}
