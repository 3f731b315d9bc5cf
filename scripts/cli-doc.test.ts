import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { argumentsOf, askCommand, demoCommand, devnetCommand } from "../cli/commands/network.ts";
import { askCommand as askProgram } from "../devnet/ask.ts";
import { demoCommand as demoProgram } from "../devnet/demo.ts";
import { devnetCommand as devnetProgram } from "../devnet/devnet-command.ts";
import { renderCommands } from "./cli-doc.ts";

const described = ({ options }: Command) =>
  options.map(({ flags, description, defaultValue, argChoices }) => ({
    flags,
    description,
    default: defaultValue === undefined ? null : String(defaultValue),
    choices: argChoices ?? null,
  }));

describe("the commands that start a local network", () => {
  it.each([
    [devnetCommand(), devnetProgram(() => undefined)],
    [demoCommand(), demoProgram(() => undefined)],
    [askCommand(), askProgram(() => undefined)],
  ])("describe the devnet's own program as it describes itself", (ours, theirs) => {
    expect([ours.name(), ours.description()]).toEqual([theirs.name(), theirs.description()]);
    expect(described(ours)).toEqual(described(theirs));
  });

  it.each([
    [devnetCommand(), [], ["devnet"]],
    [
      devnetCommand(),
      ["--nodes", "2", "--fresh", "--rpc-port=8545"],
      ["devnet", "--nodes=2", "--fresh", "--rpc-port=8545"],
    ],
    [devnetCommand(), ["--no-nodes", "--json"], ["devnet", "--no-nodes", "--json"]],
    [demoCommand(), ["--prompt", "--odd one"], ["demo", "--prompt=--odd one"]],
  ])("pass on what is given, and no default", (command, given, passed) => {
    command.action(() => undefined).parse(given, { from: "user" });
    expect(argumentsOf(command)).toEqual(passed);
  });
});

it("every command of the page has a description and an example", () => {
  const sections = renderCommands().split(/^## /m).slice(2);
  expect(sections.length).toBeGreaterThan(30);
  for (const section of sections)
    expect(section).toMatch(/^[a-z-]+[^\n]*\n\n\S[^\n]*\.\n[\s\S]*```sh\nblindference-edge /);
});
