/**
 * `jobs`: the node's own history, joined with what the payment service says. Where the service cannot be reached the last
 * known figures stand with their date, or it says unknown: never 0.
 */
import { type Command, InvalidArgumentError } from "commander";
import type * as z from "zod";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { duration, moment, short } from "../format.ts";
import type { Io } from "../io.ts";
import { earningsAnswer, jobAnswer, type jobRow, jobsAnswer } from "../node/shapes.ts";

type JobRow = z.infer<typeof jobRow>;
type Earnings = z.infer<typeof earningsAnswer>["nodes"][number];

interface ListOptions extends CommonOptions {
  limit: number;
  status?: string;
  cursor?: string;
}

const TARGET = ["json", "url", "node", "envFile"] as const;

export function jobsCommand(): Command {
  const list = defineCommand("list", "List jobs, newest first, with their reward where the payment service named one", [
    "jobs list",
    "jobs list --status failed --limit 20",
  ])
    .option("--limit <count>", "how many, 1 to 200", limit, 20)
    .option("--status <name>", "a state (`failed`) or an outcome (`accepted`)")
    .option("--cursor <text>", "go on where an earlier list ended");
  const show = defineCommand("show", "Show one job: every state with its time, and why it failed", [
    "jobs show 0x1234…",
  ]).argument("<id>", "the job's id");
  const earnings = defineCommand("earnings", "Show what was earned, by the payment service's figures", [
    "jobs earnings",
  ]);
  const claim = defineCommand("claim", "Say how rewards are paid, and what is still pending", ["jobs claim"]);
  return defineCommand("jobs", "The node's jobs and what they earned", ["jobs list", "jobs earnings"])
    .addCommand(withOptions(list, ...TARGET).action(listJobs))
    .addCommand(withOptions(show, ...TARGET).action(showJob))
    .addCommand(withOptions(earnings, ...TARGET).action(showEarnings))
    .addCommand(withOptions(claim, ...TARGET).action(claimRewards));
}

async function listJobs(options: ListOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const { limit: count, status, cursor } = options;
  const page = await api.get("/api/assignments", jobsAnswer, { limit: String(count), status, cursor });
  if (options.json === true) return io.json(page);
  if (page.assignments.length === 0) return io.print("No jobs.");
  io.table(
    ["offered (UTC)", "job", "role", "model", "state", "reward", "reason"],
    page.assignments.map((job) => [
      moment(job.offeredAt),
      io.terminal ? short(job.jobId) : job.jobId,
      job.role,
      job.modelId,
      standing(io, job),
      job.rewardBlind === null ? "–" : `${job.rewardBlind} BLIND`,
      job.failureCode ?? "",
    ]),
  );
  if (page.nextCursor !== null) io.note(`More: blindference-edge jobs list --cursor '${page.nextCursor}'`);
}

async function showJob(id: string, options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const job = await api.get(`/api/assignments/${encodeURIComponent(id)}`, jobAnswer);
  if (options.json === true) return io.json(job);
  io.print(io.paint("bold", job.jobId));
  for (const row of job.rows) {
    io.print(`${row.node}: ${row.role} for ${row.modelId}, ${standing(io, row)}`);
    for (const [name, value] of Object.entries(LINKS)) {
      const found = row[value];
      if (typeof found === "string") io.print(`  ${io.paint("dim", name.padEnd(18))} ${found}`);
    }
    if (row.rewardBlind !== null) io.print(`  ${io.paint("dim", "reward".padEnd(18))} ${row.rewardBlind} BLIND`);
    if (row.failureCode !== null) {
      io.print(`  ${io.paint("red", row.failureCode)}: ${row.failureMessage ?? ""}`);
      io.print(`    fix: ${row.failureHint ?? ""}`);
    }
  }
  if (job.timeline === null) return io.note("The history does not answer: times are not shown.");
  let before: number | null = null;
  for (const { at, type, node } of job.timeline) {
    const since = before === null ? "" : `+${duration(at - before)}`;
    io.print(`  ${io.paint("dim", moment(at))}  ${since.padEnd(10)} ${type.padEnd(20)} ${short(node)}`);
    before = at;
  }
}

const LINKS = {
  prompt: "promptCid",
  output: "outputCid",
  commitment: "commitment",
  "leader's": "leaderCommitment",
  verdict: "verdict",
  transaction: "grantTx",
} as const;

async function showEarnings(options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const answer = await api.get("/api/earnings", earningsAnswer);
  if (options.json === true) return io.json(answer);
  for (const node of answer.nodes) {
    io.print(io.paint("bold", node.node));
    io.print(`  ${earned(node)}`);
    if (node.stats === null) continue;
    const { totalJobs, success, failed, slashed, currentStakeBlind } = node.stats;
    const rate = totalJobs === 0 ? "–" : `${Math.round((100 * success) / totalJobs)} %`;
    io.print(`  jobs ${totalJobs}: ${success} accepted (${rate}), ${failed} failed, ${slashed} slashed`);
    io.print(`  stake ${currentStakeBlind} BLIND, by the payment service`);
  }
}

function earned({ stats, lastKnown }: Earnings): string {
  if (stats !== null) return `earned ${stats.totalEarnedBlind} BLIND`;
  if (lastKnown === null) return "earned: unknown, the payment service has never answered this node";
  return `earned: unknown since ${moment(lastKnown.atMs)} UTC; then ${lastKnown.totalBlind} BLIND for ${lastKnown.jobsCount} jobs`;
}

async function claimRewards(options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const [pending, earnings] = await Promise.all([
    api.get("/api/assignments", jobsAnswer, { status: "accepted", limit: "200" }),
    api.get("/api/earnings", earningsAnswer),
  ]);
  const unpaid = pending.assignments.filter((job) => job.rewardBlind === null);
  if (options.json === true) {
    return io.json({
      claimable: false,
      paidBy: "payment service",
      pending: unpaid.map(({ jobId, node, role }) => ({ jobId, node, role })),
      earnings: earnings.nodes,
    });
  }
  io.print("There is nothing to claim: the payment service pays rewards itself, to the node's address.");
  io.print("A job earns 1 BLIND: 0.6 for the leader, 0.2 for each verifier.");
  io.print(
    unpaid.length === 0
      ? "No accepted job of the latest 200 waits for its reward."
      : `${unpaid.length} accepted jobs of the latest ${pending.assignments.length} have no reward on record yet:`,
  );
  for (const job of unpaid) io.print(`  ${moment(job.offeredAt)}  ${job.jobId}  ${job.role}`);
  for (const node of earnings.nodes) io.print(`${short(node.node)}: ${earned(node)}`);
}

function standing(io: Io, { state, outcome }: JobRow): string {
  if (state === "failed") return io.paint("red", "failed");
  if (state !== "settled") return io.paint("cyan", state);
  return io.paint(outcome === "accepted" ? "green" : "yellow", outcome ?? "unknown");
}

function limit(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 200) throw new InvalidArgumentError("must be 1 to 200");
  return value;
}
