/**
 * `keys export`: the private key of this machine's keystore, for another wallet. Prints it only with `--confirm` and the
 * password; nothing but the key is on standard output, so that it can go straight into another program.
 */
import type { Command } from "commander";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { CliError } from "../errors.ts";

interface ExportOptions extends CommonOptions {
  confirm?: boolean;
}

export function keysCommand(): Command {
  return defineCommand("keys", "The key of this machine's keystore", ["keys export --confirm"]).addCommand(
    exportCommand(),
  );
}

function exportCommand(): Command {
  const command = defineCommand("export", "Print the private key of the local keystore", [
    "keys export --confirm",
    "keys export --confirm | another-wallet import --stdin",
  ]).option("--confirm", "yes, print the private key");
  return withOptions(command, "envFile").action(exportKey);
}

async function exportKey(options: ExportOptions): Promise<void> {
  const { io, env } = contextFor(options);
  if (options.confirm !== true) {
    throw new CliError(
      "This prints the private key: whoever sees it controls the account, its stake and its prompts.",
      {
        fix: "If that is what you want, run it again with --confirm, where nobody looks on and no log records it.",
        exit: "refused",
      },
    );
  }
  const privateKey = await env.keystoreKey();
  io.note("Keep this key secret, and never use it on a mainnet: whoever has it controls the account.");
  io.print(privateKey.reveal());
}
