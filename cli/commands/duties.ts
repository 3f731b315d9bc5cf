/** `attest`, `pause`, `resume`, `drain` and `poll`: the operator's word to a running or deployed node. */
import { type Command, Option } from "commander";
import { type CommonOptions, type Context, contextFor, defineCommand, withOptions } from "../command.ts";
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

const TARGET = ["json", "url", "node", "envFile"] as const;

export function pauseCommand(): Command {
  const description = "Claim nothing from now on; heartbeats go on, because the network counts silence";
  const examples = ["pause", 'pause --reason "moving to another machine"'];
  return dutyCommand("pause", description, examples).option("--reason <text>", "shown in the node's status");
}

export function resumeCommand(): Command {
  return dutyCommand("resume", "Claim again, also after a pause that the node made itself", ["resume"]);
}

export function drainCommand(): Command {
  const examples = ["drain", "drain --json && blindference-edge status"];
  return dutyCommand("drain", "Finish what is claimed, then pause", examples);
}

export function pollCommand(): Command {
  return dutyCommand("poll", "Ask the coordinator for assignments now instead of within five seconds", ["poll"]);
}

function dutyCommand(duty: Duty, description: string, examples: readonly string[]): Command {
  return withOptions(defineCommand(duty, description, examples), ...TARGET).action((options: DutyOptions) =>
    perform(contextFor(options), duty, options),
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
  return withOptions(command, ...TARGET, "yes").action(async (options: AttestOptions) => {
    const context = contextFor(options);
    const asked = BACKENDS.find((name) => options[name] === true);
    if (asked !== undefined) await refuseOtherBackend(context, asked);
    await perform(context, "attest", options);
    if (options.registerOnChain === true) await register(context, options);
  });
}

/** How a node attests is a setting of its own: a flag that asks for another way must not be passed over in silence. */
async function refuseOtherBackend({ api }: Context, asked: (typeof BACKENDS)[number]): Promise<void> {
  const set = (await api.get("/api/status", statusAnswer)).nodes[0]?.attestationBackend;
  if (set == null || set === asked) return;
  throw usageError(
    `The node attests by ${set}, not by ${asked}.`,
    `Set BLF_ATTESTATION_BACKEND=${asked} and the tier that goes with it (BLF_TIER), then deploy or start it again.`,
  );
}

async function perform({ io, api }: Context, duty: Duty, options: DutyOptions): Promise<void> {
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
