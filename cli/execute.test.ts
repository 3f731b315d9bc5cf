import { describe, expect, it } from "vitest";
import { VERSION } from "../core/version.ts";
import { inProcess } from "./in-process.ts";
import { createProgram } from "./program.ts";

const run = (...args: string[]) => inProcess(args, { BLF_NODE_URL: "http://127.0.0.1:1", BLF_ADMIN_TOKEN: "a-token" });
/** `sidecar` by itself runs one. */
const groups = createProgram()
  .commands.filter((command) => command.commands.length > 0 && command.name() !== "sidecar")
  .map((command) => command.name());

describe("asked for nothing", () => {
  it.each([[[]], ...groups.map((name) => [[name]])])(
    "%j shows its help on standard output, and ends well",
    async (args) => {
      const { code, stdout, stderr } = await run(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`^Usage: ${["blindference-edge", ...args].join(" ")} `));
    },
  );

  it("it names every group of commands", () => {
    expect(groups).toEqual(["staking", "jobs", "models", "guard", "keys"]);
  });
});

describe("a command line", () => {
  it.each([
    [["stauts"], "Did you mean status?"],
    [["staking", "stak"], "Did you mean stake?"],
    [["jobs", "list", "--limt", "3"], "Did you mean --limit?"],
    [["jobs", "show"], "missing required argument"],
    [["staking", "status", "more"], "too many arguments"],
    [["logs", "--level", "loud"], "Allowed choices are"],
    [["--nothing"], "unknown option"],
  ])("%j that is wrong ends with 2 and the way to the help, and nothing on standard output", async (args, said) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(said);
    expect(stderr).toContain("add --help");
  });

  it.each([["--version"], ["-V"]])("%s gives the version alone", async (flag) => {
    expect(await run(flag)).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
  });
});

describe("an error", () => {
  it("is said with its fix, and with its stack only where --debug is given", async () => {
    const plain = await run("status");
    expect(plain).toMatchObject({ code: 3, stdout: "" });
    expect(plain.stderr).toMatch(/^error: The node at http:\/\/127\.0\.0\.1:1 does not answer.*\n {2}fix: .*\n$/);
    for (const args of [
      ["--debug", "status"],
      ["status", "--debug"],
    ]) {
      const { code, stderr } = await run(...args);
      expect(code).toBe(3);
      expect(stderr).toMatch(/\n {4}at .*\n[\s\S]*caused by TransportError/);
    }
  });

  it("of the command line shows no secret that the environment has", async () => {
    const { stderr } = await inProcess(["jobs", "list", "--the-admin-token-of-a-test"], {
      BLF_ADMIN_TOKEN: "the-admin-token-of-a-test",
    });
    expect(stderr).toMatch(/unknown option/);
    expect(stderr).not.toContain("the-admin-token-of-a-test");
  });
});

describe("the help", () => {
  const all = createProgram().commands.flatMap((command) => [
    [command.name()],
    ...command.commands.map((child) => [command.name(), child.name()]),
  ]);
  it.each(all)("of %s %s has examples that begin with it", async (...path) => {
    const names = path.filter((name) => typeof name === "string");
    const { code, stdout } = await run(...names, "--help");
    expect(code).toBe(0);
    expect(stdout).toContain(`\nExamples:\n  $ blindference-edge ${names[0]}`);
  });
});
