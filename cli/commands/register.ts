/** `register`: NodeRegistry.register, once per address, by the node's own certificate (docs/operate/attestation.md). */
import type { Command } from "commander";
import { type ActionOptions, act } from "../chain/action.ts";
import { type Context, contextFor, defineCommand, withOptions } from "../command.ts";

export function registerCommand(): Command {
  const command = defineCommand("register", "Register the node on chain, once; the node must run and be attested", [
    "register",
    "register --yes --json",
  ]);
  return withOptions(command, "json", "yes", "url", "node", "envFile").action((options: ActionOptions) =>
    register(contextFor(options), options),
  );
}

export function register(context: Context, options: ActionOptions): Promise<void> {
  return act(context, options, "register", {
    question: "Register the node in NodeRegistry? It costs gas.",
  });
}
