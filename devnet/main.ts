/**
 * The devnet's program: `devnet` keeps a whole network up, `ask` sends a job through it, `demo` one through its own. The network's own keys are
 * public, those of the environment are not: they are in no error that is printed.
 */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { blotter } from "../core/log.ts";
import { secretsIn } from "../core/settings/secrets.ts";
import { askCommand } from "./ask.ts";
import { demoCommand } from "./demo.ts";
import { devnetCommand } from "./devnet-command.ts";

/** Runs a command and gives the exit code. */
export async function main(args: string[]): Promise<number> {
  let code = 0;
  const finish = (result: number) => {
    code = result;
  };
  const program = new Command("blindference-edge")
    .description("A whole Blindference network on this machine. TESTNET SOFTWARE: its keys are known to everyone.")
    .exitOverride()
    .addCommand(demoCommand(finish))
    .addCommand(devnetCommand(finish))
    .addCommand(askCommand(finish));
  for (const command of program.commands) command.exitOverride();
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const redact = blotter(secretsIn(process.env));
    process.stderr.write(redact(`${error instanceof Error ? error.message : String(error)}\n`));
    return 1;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exit(await main(process.argv.slice(2)));
}
