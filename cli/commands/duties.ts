/** `attest`, `pause`, `resume`, `drain` and `poll`: the operator's word to a running or deployed node. */
import { type Command, Option } from "commander";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { CliError, usageError } from "../errors.ts";
import { commandAnswer, statusAnswer } from "../node/shapes.ts";
import { register } from "./register.ts";

type Duty = "attest" | "pause" | "resume" | "drain" | "poll";

const DONE: Record<Duty, string> = {
  attest: "attested",
  pause: "paused: it claims nothing, its heartbeats go on",
  resume: "running: it claims again",
  drain: "draining: it finishes what it has claimed, then pauses",
  poll: "asked for assignments",
};

interface DutyOptions extends CommonOptions {
  reason?: string;
}

export function pauseCommand(): Command {
  const command = defineCommand(
    "pause",
    "Claim nothing from now on; heartbeats go on, because the network counts silence",
    ["pause", 'pause --reason "moving to another machine"'],
  ).option("--reason <text>", "shown in the node's status");
  return withOptions(command, "json", "url", "node", "envFile").action((options: DutyOptions) =>
    perform("pause", options),
  );
}

export function resumeCommand(): Command {
  const command = defineCommand("resume", "Claim again, also after a pause that the node made itself", ["resume"]);
  return withOptions(command, "json", "url", "node", "envFile").action((options: DutyOptions) =>
    perform("resume", options),
  );
}

export function drainCommand(): Command {
  const command = defineCommand("drain", "Finish what is claimed, then pause", [
    "drain",
    "drain --json && blindference-edge status",
  ]);
  return withOptions(command, "json", "url", "node", "envFile").action((options: DutyOptions) =>
    perform("drain", options),
  );
}

export function pollCommand(): Command {
  const command = defineCommand("poll", "Ask the coordinator for assignments now instead of within five seconds", [
    "poll",
  ]);
  return withOptions(command, "json", "url", "node", "envFile").action((options: DutyOptions) =>
    perform("poll", options),
  );
}

interface AttestOptions extends CommonOptions {
  mock?: true;
  tpm?: true;
  sev?: true;
  tdx?: true;
  registerOnChain?: true;
}

const BACKENDS = ["mock", "tpm", "sev", "tdx"] as const;

export function attestCommand(): Command {
  const command = defineCommand("attest", "Attest the node with the coordinator now, and renew its certificate", [
    "attest",
    "attest --mock --register-on-chain",
  ])
    .addOption(new Option("--mock", "by software, tier 0").conflicts(["tpm", "sev", "tdx"]))
    .addOption(new Option("--tpm", "by a TPM 2.0, tier 1").conflicts(["mock", "sev", "tdx"]))
    .addOption(new Option("--sev", "by AMD SEV-SNP, tier 2").conflicts(["mock", "tpm", "tdx"]))
    .addOption(new Option("--tdx", "by Intel TDX, tier 2").conflicts(["mock", "tpm", "sev"]))
    .option("--register-on-chain", "then register in NodeRegistry, once; costs gas");
  return withOptions(command, "json", "url", "node", "envFile", "yes").action(async (options: AttestOptions) => {
    const asked = BACKENDS.find((name) => options[name] === true);
    if (asked !== undefined) await refuseOtherBackend(options, asked);
    await perform("attest", options);
    if (options.registerOnChain === true) await register(options);
  });
}

/** How a node attests is a setting of its own: a flag that asks for another way must not be passed over in silence. */
async function refuseOtherBackend(options: CommonOptions, asked: (typeof BACKENDS)[number]): Promise<void> {
  const { api } = contextFor(options);
  const set = (await api.get("/api/status", statusAnswer)).nodes[0]?.attestationBackend;
  if (set == null || set === asked) return;
  throw usageError(
    `The node attests by ${set}, not by ${asked}.`,
    `Set BLF_ATTESTATION_BACKEND=${asked} and the tier that goes with it (BLF_TIER), then deploy or start it again.`,
  );
}

async function perform(duty: Duty, options: DutyOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const body = { node: options.node, ...(duty === "pause" ? { reason: options.reason } : {}) };
  const answer = await api.send("POST", `/api/${duty}`, body, commandAnswer);
  if (options.json === true) io.json(answer);
  const failed = answer.nodes.filter(({ ok }) => !ok);
  if (options.json !== true) {
    for (const { node, ok, failure } of answer.nodes) {
      io.print(
        ok
          ? `${node}: ${DONE[duty]}`
          : `${node}: ${io.paint("red", failure?.code ?? "failed")}: ${failure?.message ?? ""}`,
      );
    }
  }
  const [first] = failed;
  if (first === undefined) return;
  const { message = "no reason was given", hint = "See `blindference-edge logs`." } = first.failure ?? {};
  throw new CliError(`${duty} failed for ${failed.length} of ${answer.nodes.length} nodes: ${message}`, { fix: hint });
}
