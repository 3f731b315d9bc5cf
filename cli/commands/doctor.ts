/** `doctor`: every check at once, a line each with its fix; ends 1 where there is a failure. */
import type { Command } from "commander";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding, Status } from "../doctor/finding.ts";
import { openWallet } from "../doctor/wallet-checks.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import type { Io } from "../io.ts";

const STYLES = { ok: "green", warning: "yellow", failure: "red" } as const satisfies Record<Status, string>;

export function doctorCommand(): Command {
  const command = defineCommand(
    "doctor",
    "Check everything that can be wrong before it costs anything, with the fix of each",
    [
      "doctor",
      "doctor --url https://node.example.workers.dev  # a deployed node",
      "doctor --json | jq '.[] | select(.status != \"ok\")'",
    ],
  );
  return withOptions(command, "json", "envFile", "url", "node").action(doctor);
}

async function doctor(options: CommonOptions): Promise<void> {
  const { io, env, api } = contextFor(options);
  // Asks for the password, so it comes before the spinner, which would paint over the question.
  const opened = await openWallet(env);
  const work = () => examine({ opened, api });
  const findings = options.json === true ? await work() : await io.progress("Checking", work);
  if (options.json === true) io.json(findings);
  else show(io, findings);
  if (findings.some(({ status }) => status === "failure")) process.exitCode = EXIT_CODES.failed.code;
}

function show(io: Io, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, status, detail, fix } of findings) {
    io.print(`${io.paint(STYLES[status], status.padEnd("warning".length))}  ${check.padEnd(width)}  ${detail}`);
    if (fix !== null) io.print(`${" ".repeat(9)}${" ".repeat(width)}  ${io.paint("dim", `fix: ${fix}`)}`);
  }
  const count = (status: Status) => findings.filter((finding) => finding.status === status).length;
  io.print();
  io.print(`${count("ok")} ok, ${count("warning")} warnings, ${count("failure")} failures`);
}
