/** `status`: what the node says of itself, for people and with --json as it said it. */
import type { Command } from "commander";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { ago, duration } from "../format.ts";
import type { Io } from "../io.ts";
import { type NodeStatus, statusAnswer } from "../node/shapes.ts";

export function statusCommand(): Command {
  const command = defineCommand(
    "status",
    "Show the node: state, certificate, models, jobs, stake, what holds it back",
    ["status", "status --url https://blindference-edge.example.workers.dev", "status --json | jq '.nodes[0].state'"],
  );
  return withOptions(command, "json", "url", "node", "envFile").action(async (options: CommonOptions) => {
    const { io, api } = contextFor(options);
    const status = await api.get("/api/status", statusAnswer);
    if (options.json === true) return io.json(status);
    io.print(`Blindference Edge ${status.version ?? "of an unknown version"} at ${api.url} (testnet only)`);
    for (const { setting, message, fix, severity } of status.faults ?? []) {
      io.print(`${io.paint(severity === "fault" ? "red" : "yellow", severity)}: ${setting}: ${message}`);
      if (fix !== undefined) io.print(`  fix: ${fix}`);
    }
    if (status.nodes.length === 0) io.print("No node is configured yet.");
    for (const node of status.nodes) printNode(io, node);
  });
}

function printNode(io: Io, node: NodeStatus): void {
  const color = node.state === "running" ? "green" : node.state === "paused" ? "red" : "yellow";
  io.print();
  io.print(`${io.paint("bold", node.address)}  ${io.paint(color, node.state)}`);
  for (const [name, value] of linesOf(node)) {
    // A node of another version may not say it: then nothing is said here, rather than something made up.
    if (value !== undefined) io.print(`  ${io.paint("dim", name.padEnd(18))} ${value}`);
  }
  for (const { jobId, role, modelId, state } of node.openJobs ?? []) {
    io.print(`  ${[jobId, role, modelId, state].filter((part) => part != null).join("  ")}`);
  }
  for (const { code, blocks, reason, hint } of node.holds ?? []) {
    io.print(`  ${io.paint("red", code)}: ${reason}${blocks === undefined ? "" : `; unclaimed meanwhile: ${blocks}`}`);
    if (hint !== undefined) io.print(`    fix: ${hint}`);
  }
  if (node.lastError == null) return;
  const { code, message, hint, atMs } = node.lastError;
  io.print(`  ${io.paint("yellow", "last error")}${atMs == null ? "" : ` ${ago(atMs)}`}: ${code}: ${message}`);
  if (hint !== undefined) io.print(`    fix: ${hint}`);
}

/** Undefined is what the node did not say; null it does not know. */
function linesOf(node: NodeStatus): [string, string | undefined][] {
  const { executor, attestationBackend, lastPollAtMs, lastHeartbeatAtMs, roles, models, slots, clockSkewMs } = node;
  return [
    ["certificate", certificate(node)],
    ["attests by", attestationBackend ?? undefined],
    ["last poll", lastPollAtMs === undefined ? undefined : ago(lastPollAtMs)],
    ["last heartbeat", lastHeartbeatAtMs === undefined ? undefined : ago(lastHeartbeatAtMs)],
    ["executor", executor ?? undefined],
    ["roles", roles?.join(", ")],
    ["models", models === undefined ? undefined : models.join(", ") || "none that can be served now"],
    ["jobs", slots === undefined ? undefined : `${slots.open} open of ${slots.total} slots`],
    ["failures in a row", failures(node)],
    ["clock", clockSkewMs === undefined ? undefined : clock(clockSkewMs)],
  ];
}

function certificate({ certificate: held, tier }: NodeStatus): string | undefined {
  if (held === undefined) return undefined;
  if (held === null) return "none yet";
  const left = held.secondsLeft > 0 ? `${duration(held.secondsLeft * 1000)} left` : "has run out";
  return `tier ${tier ?? "unknown"}, ${left}${held.certHash == null ? "" : ` (${held.certHash})`}`;
}

function failures({ failures: count }: NodeStatus): string | undefined {
  if (count === undefined) return undefined;
  const onChain = count.chain == null ? "chain not read yet" : `${count.chain} on chain`;
  const probation = count.onProbation === true ? ", one job at a time until one succeeds" : "";
  return `${count.inARow} of the 3 that take the stake (${onChain})${probation}`;
}

function clock(skewMs: number | null): string {
  return skewMs === null ? "not compared yet" : `${duration(Math.abs(skewMs))} off`;
}
