/**
 * `init`: wallet, settings and secrets of a node on this machine, by a wizard on a terminal, from flags and the environment
 * otherwise. Says what it wrote and what comes next; shows secrets only where the operator asked for exactly that.
 */
import { dirname, relative } from "node:path";
import { type Command, Option } from "commander";
import { type CommonOptions, defineCommand, withOptions } from "../command.ts";
import { describeGpus } from "../gpu.ts";
import { type InitOptions, type InitResult, init } from "../init/init.ts";
import { PLACES } from "../init/plan.ts";
import { createIo, type Io } from "../io.ts";

interface Options extends CommonOptions, Omit<InitOptions, "dir" | "yes" | "skipTests"> {
  dir?: string;
  skipTests?: boolean;
}

const TESTNET =
  "TESTNET ONLY: never use a wallet that holds anything on a mainnet. BLIND and ETH of Arbitrum Sepolia have no value.";

export function initCommand(): Command {
  const command = defineCommand("init", "Make or import a wallet, set up backends and their keys, and test them", [
    "init",
    "init --from ../Blindference-node/config.json",
    "init --import UTC--2026-01-01T00-00-00Z--7ef5a6135f1fd6a0 --dir ./node1",
    "init --yes  # from BLF_KEY_PASSWORD, BLF_RPC_URL, GROQ_API_KEY, … of the environment",
  ])
    .option("--dir <folder>", "where the files go (default: BLF_CONFIG_DIR or here)")
    .option("--private-key-file <file>", "import the private key in this file, 64 hex digits")
    .option("--import <keystore>", "import a keystore file of geth, or of the original node")
    .option("--import-password-file <file>", "the imported keystore's password, where it is not BLF_KEY_PASSWORD")
    .option("--from <config>", "take over the original node's config.json, and its wallet")
    .option("--models <ids>", "models to serve, comma-separated (BLF_MODELS)")
    .option("--roles <roles>", "leader,verifier or one of them (BLF_ROLES)")
    .addOption(
      new Option(
        "--secrets <place>",
        "where secrets go: a sealed file, .env, or nowhere (the new ones are shown once)",
      ).choices(PLACES),
    )
    .option("--skip-tests", "try no service and no model");
  return withOptions(command, "yes", "json").action(run);
}

async function run({ dir, yes, json, skipTests, ...flags }: Options): Promise<void> {
  const io = createIo();
  io.note(TESTNET);
  const options = {
    ...flags,
    dir: dir ?? (process.env.BLF_CONFIG_DIR || "."),
    yes: yes === true,
    skipTests: skipTests === true,
  };
  const result = await init(io, options, process.env);
  if (json === true) io.json(toJson(result));
  else show(io, result);
}

function toJson({ address, kept, written, plan, answers, faults, notes, gpus, determinism }: InitResult) {
  const { BLF_MODELS: models, BLF_ROLES: roles } = plan.bindings;
  return {
    address,
    wallet: kept ? "kept" : "written",
    files: written,
    models: models?.split(",") ?? null,
    roles: roles?.split(",") ?? null,
    secrets: answers.place,
    made: answers.place === "none" ? revealed(plan) : Object.keys(plan.generated),
    changed: plan.changed,
    faults: faults.map(({ setting, code, message, fix }) => ({ setting, code, message, fix })),
    notes,
    gpus,
    determinism,
  };
}

function show(io: Io, result: InitResult): void {
  const { address, kept, written, plan, answers, faults, notes, gpus, determinism } = result;
  for (const note of notes) io.note(note);
  for (const fault of faults) io.note(`${io.paint("yellow", "still to do")}: ${fault.message} ${fault.fix}`);
  if (gpus !== null) io.note(describeGpus(gpus));
  io.note(determinismLine(determinism));
  io.print(`wallet   ${address}${kept ? " (kept)" : ""}`);
  for (const file of written) io.print(`written  ${relative(".", file) || file}`);
  if (written.length === 0) io.print("written  nothing: all of it was there already");
  if (answers.place === "none" && Object.keys(plan.generated).length > 0) {
    io.note("Keep these: they are shown this once and stored nowhere.");
    for (const [name, text] of Object.entries(revealed(plan))) io.print(`${name}=${text}`);
  }
  next(io, result);
  io.note(TESTNET);
}

function next(io: Io, { address, written }: InitResult): void {
  const [first] = written;
  const elsewhere = first !== undefined && relative(".", dirname(first)) !== "";
  const steps = [
    `Send ETH of Arbitrum Sepolia for gas, and 1000 BLIND or more for the stake, to ${address}.`,
    ...(elsewhere ? [`Set BLF_CONFIG_DIR=${dirname(first)} for the commands that follow.`] : []),
    "blindference-edge doctor          check everything",
    "blindference-edge staking stake   stake, so that quorums take the node",
    "blindference-edge run             run it here, or: blindference-edge deploy, on Cloudflare",
  ];
  io.note("");
  io.note("Next:");
  for (const step of steps) io.note(`  ${step}`);
}

function determinismLine(report: InitResult["determinism"]): string {
  if (typeof report === "string") return `Determinism self-test: ${report}.`;
  if (report.same) return `Determinism self-test: ${report.model} gave the same answer ${report.runs} times.`;
  return `Determinism self-test: ${report.model} gave DIFFERENT answers; see \`blindference-edge test-determinism\`, and serve another model.`;
}

function revealed({ generated }: InitResult["plan"]): Record<string, string> {
  return Object.fromEntries(Object.entries(generated).map(([name, secret]) => [name, secret.reveal()]));
}
