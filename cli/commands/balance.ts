/** `balance`: the account's ETH, for gas, and BLIND. */
import type { Command } from "commander";
import { formatBlind } from "../../core/chain/blind.ts";
import { readNodeView } from "../../core/chain/reads.ts";
import { accountOf, localChain } from "../chain/local-chain.ts";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { explorerLink, formatEth } from "../format.ts";

export function balanceCommand(): Command {
  const command = defineCommand("balance", "Show the account's ETH and BLIND", [
    "balance",
    "balance --node 0x1234… --json",
  ]);
  return withOptions(command, "json", "node", "envFile").action(async (options: CommonOptions) => {
    const { io, env } = contextFor(options);
    const account = await accountOf(env, options.node);
    const { client, settings } = await localChain(env);
    const { ethWei, blindWei, stake } = await readNodeView(client, settings.contracts, account);
    if (options.json === true) {
      const amount = (value: bigint | null | undefined) =>
        value === null || value === undefined ? null : String(value);
      return io.json({
        node: account,
        ethWei: String(ethWei),
        blindWei: amount(blindWei),
        stakedWei: amount(stake?.staked),
      });
    }
    io.print(io.paint("bold", account));
    io.print(`  ${formatEth(ethWei)}${ethWei === 0n ? io.paint("yellow", ": none for gas") : ""}`);
    io.print(`  ${blindWei === null ? "BLIND unknown: BLF_TOKEN_ADDRESS is not set" : formatBlind(blindWei)}`);
    if (stake !== null) io.print(`  ${formatBlind(stake.staked)} staked`);
    const link = explorerLink(settings.cofhe.chainId, "address", account);
    if (link !== null) io.print(`  ${link}`);
  });
}
