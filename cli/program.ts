/** All commands of `blindference-edge`, put together: for main.ts to run, and for docs/operate/cli.md to describe. */
import type { Command } from "commander";
import { VERSION } from "../core/version.ts";
import { defineProgram } from "./command.ts";
import { balanceCommand } from "./commands/balance.ts";
import { deployCommand } from "./commands/deploy.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { attestCommand, drainCommand, pauseCommand, pollCommand, resumeCommand } from "./commands/duties.ts";
import { guardCommand } from "./commands/guard.ts";
import { initCommand } from "./commands/init.ts";
import { jobsCommand } from "./commands/jobs.ts";
import { keysCommand } from "./commands/keys.ts";
import { logsCommand } from "./commands/logs.ts";
import { modelsCommand } from "./commands/models.ts";
import { askCommand, demoCommand, devnetCommand } from "./commands/network.ts";
import { registerCommand } from "./commands/register.ts";
import { runCommand } from "./commands/run.ts";
import { sidecarCommand } from "./commands/sidecar.ts";
import { stakingCommand } from "./commands/staking.ts";
import { statusCommand } from "./commands/status.ts";
import { testDeterminismCommand } from "./commands/test-determinism.ts";

export function createProgram(): Command {
  const program = defineProgram(
    "blindference-edge",
    "A Blindference node without a server. TESTNET ONLY: never use keys that hold real funds.",
  )
    .version(VERSION)
    .option("--debug", "show stack traces");
  const groups: [string, Command[]][] = [
    ["Set up:", [initCommand(), doctorCommand(), runCommand(), sidecarCommand(), deployCommand()]],
    [
      "Operate:",
      [
        statusCommand(),
        logsCommand(),
        attestCommand(),
        registerCommand(),
        pauseCommand(),
        resumeCommand(),
        drainCommand(),
        pollCommand(),
      ],
    ],
    ["Earn:", [stakingCommand(), balanceCommand(), jobsCommand()]],
    ["Models:", [modelsCommand(), testDeterminismCommand()]],
    ["Keys and guards:", [guardCommand(), keysCommand()]],
    ["Try it without the network:", [devnetCommand(), demoCommand(), askCommand()]],
  ];
  for (const [title, commands] of groups) {
    program.commandsGroup(title);
    for (const command of commands) program.addCommand(command);
  }
  return program;
}
