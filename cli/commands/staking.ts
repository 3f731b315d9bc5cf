/** `staking`: put BLIND down, see it, and take it out again after 96 hours of unbonding (docs/operate/staking.md). */
import type { Command } from "commander";
import { Option } from "commander";
import { readActionView } from "../../core/chain/action-view.ts";
import { formatBlind, readBlind } from "../../core/chain/blind.ts";
import { type ActionOptions, act } from "../chain/action.ts";
import { accountOf, localChain } from "../chain/local-chain.ts";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { CliError, usageError } from "../errors.ts";
import { duration, explorerLink, moment } from "../format.ts";

const SENDING = ["json", "yes", "url", "node", "envFile"] as const;
const DIRECT = new Option(
  "--direct",
  "send from this machine even where a node is named; only if none runs with this key",
);

export function stakingCommand(): Command {
  const stake = defineCommand("stake", "Stake BLIND: approves only what is missing, then stakes; at least 1000", [
    "staking stake",
    "staking stake 2500 --yes",
  ])
    .argument("[amount]", "BLIND, decimal (default: BLF_STAKE_AMOUNT, 1000)")
    .addOption(DIRECT);
  const status = defineCommand("status", "Show stake, unbonding with the time left, and failures in a row", [
    "staking status",
    "staking status --node 0x1234… --json",
  ]);
  const unstake = defineCommand("unstake", "Begin unbonding the whole stake; the node is no longer picked for jobs", [
    "staking unstake",
  ]).addOption(DIRECT);
  const withdraw = defineCommand("withdraw", "Take out what has finished unbonding", ["staking withdraw"]).addOption(
    DIRECT,
  );
  return defineCommand("staking", "The node's stake", ["staking stake 1000", "staking status"])
    .addCommand(withOptions(stake, ...SENDING).action(stakeBlind))
    .addCommand(withOptions(status, "json", "node", "envFile").action(showStake))
    .addCommand(
      withOptions(unstake, ...SENDING).action((options: ActionOptions) =>
        act(contextFor(options), options, "unstake", {
          question: "Unstake everything? It is free after 96 hours, and earns nothing from now on.",
        }),
      ),
    )
    .addCommand(
      withOptions(withdraw, ...SENDING).action((options: ActionOptions) =>
        act(contextFor(options), options, "withdraw", {
          question: "Withdraw what has unbonded to the node's account?",
        }),
      ),
    );
}

async function stakeBlind(given: string | undefined, options: ActionOptions): Promise<void> {
  const context = contextFor(options);
  const amount = given ?? context.env.get("BLF_STAKE_AMOUNT") ?? "1000";
  const read = readBlind(amount);
  if (!read.ok) throw usageError(`The amount ${read.refusal}.`, "For example: blindference-edge staking stake 1000");
  await act(context, options, "stake", {
    question: `Stake ${formatBlind(read.value)}? Three failures in a row take all of it; unbonding takes 96 hours.`,
    amount,
  });
}

async function showStake(options: CommonOptions): Promise<void> {
  const { io, env } = contextFor(options);
  const account = await accountOf(env, options.node);
  const { client, settings } = await localChain(env);
  const { stake, chainSec } = await readActionView(client, settings.contracts, account);
  if (stake === null) {
    throw new CliError("The staking contract or the token has no address on this chain.", {
      fix: "Set BLF_STAKING_ADDRESS and BLF_TOKEN_ADDRESS.",
      exit: "usage",
    });
  }
  const { staked, unbonding, unbondingAvailableAtSec, consecutiveFailures, active, minStake, balance } = stake;
  const availableAtSec = unbonding === 0n ? null : unbondingAvailableAtSec;
  if (options.json === true) {
    return io.json({
      node: account,
      stakedWei: String(staked),
      unbondingWei: String(unbonding),
      unbondingAvailableAt: availableAtSec === null ? null : new Date(availableAtSec * 1000).toISOString(),
      consecutiveFailures,
      active,
      minStakeWei: String(minStake),
      balanceWei: String(balance),
    });
  }
  io.print(io.paint("bold", account));
  io.print(`  staked     ${formatBlind(staked)}${active ? "" : io.paint("yellow", " (not active)")}`);
  if (availableAtSec !== null) {
    const left = availableAtSec - chainSec;
    const when =
      left <= 0
        ? "free now: blindference-edge staking withdraw"
        : `free in ${duration(left * 1000)}, at ${moment(availableAtSec * 1000)} UTC`;
    io.print(`  unbonding  ${formatBlind(unbonding)}, ${when}`);
  }
  io.print(`  failures   ${consecutiveFailures} in a row; 3 take the whole stake`);
  io.print(`  balance    ${formatBlind(balance)}`);
  if (staked < minStake)
    io.print(`  ${io.paint("yellow", `Fewer than ${formatBlind(minStake)} are staked: no job is given.`)}`);
  const link = explorerLink(settings.cofhe.chainId, "address", account);
  if (link !== null) io.print(`  ${link}`);
}
