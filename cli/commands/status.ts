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
    io.print(`Blindference Edge ${status.version} at ${api.url} (testnet only)`);
    for (const { setting, message, fix, severity } of status.faults) {
      io.print(`${io.paint(severity === "fault" ? "red" : "yellow", severity)}: ${setting}: ${message}`);
      io.print(`  fix: ${fix}`);
    }
    if (status.nodes.length === 0) io.print("No node is configured yet.");
    for (const node of status.nodes) printNode(io, node);
  });
}

function printNode(io: Io, node: NodeStatus): void {
  const certificate =
    node.certificate === null
      ? "none yet"
      : `tier ${node.tier ?? "?"}, ${duration(node.certificate.secondsLeft * 1000)} left (${node.certificate.certHash})`;
  const color = node.state === "running" ? "green" : node.state === "paused" ? "red" : "yellow";
  io.print();
  io.print(`${io.paint("bold", node.address)}  ${io.paint(color, node.state)}`);
  const rows: [string, string][] = [
    ["certificate", certificate],
    ["last poll", ago(node.lastPollAtMs)],
    ["last heartbeat", ago(node.lastHeartbeatAtMs)],
    ["executor", node.executor],
    ["roles", node.roles.join(", ")],
    ["models", node.models.length === 0 ? "none that can be served now" : node.models.join(", ")],
    ["jobs", `${node.slots.open} open of ${node.slots.total} slots`],
    ["failures in a row", failures(node)],
    ["clock", node.clockSkewMs === null ? "not compared yet" : `${duration(Math.abs(node.clockSkewMs))} off`],
  ];
  for (const [name, value] of rows) io.print(`  ${io.paint("dim", name.padEnd(18))} ${value}`);
  for (const job of node.openJobs) io.print(`  ${job.jobId}  ${job.role} ${job.modelId} ${job.state}`);
  for (const { code, blocks, reason, hint } of node.holds) {
    io.print(`  ${io.paint("red", code)}: ${reason}; unclaimed meanwhile: ${blocks}`);
    io.print(`    fix: ${hint}`);
  }
  if (node.lastError !== null) {
    const { code, message, hint, atMs } = node.lastError;
    io.print(`  ${io.paint("yellow", "last error")} ${ago(atMs)}: ${code}: ${message}`);
    io.print(`    fix: ${hint}`);
  }
}

function failures({ failures: { inARow, chain, onProbation } }: NodeStatus): string {
  const onChain = chain === null ? "chain not read yet" : `${chain} on chain`;
  return `${inARow} of the 3 that take the stake (${onChain})${onProbation ? ", one job at a time until one succeeds" : ""}`;
}
