/**
 * `jobs`: the node's own history, joined with what the payment service says. Where the service cannot be reached the last
 * known figures stand with their date, or it says unknown: never 0.
 */
import type { Command } from "commander";
import type * as z from "zod";
import { type CommonOptions, contextFor, defineCommand, wholeNumber, withOptions } from "../command.ts";
import { duration, moment, short } from "../format.ts";
import type { Io } from "../io.ts";
import { earningsAnswer, jobAnswer, type jobRow, jobsAnswer } from "../node/shapes.ts";

type JobRow = z.infer<typeof jobRow>;
type Moment = NonNullable<z.infer<typeof jobAnswer>["timeline"]>[number];
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
    .option("--limit <count>", "how many, 1 to 200", wholeNumber(1, 200), 20)
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
      job.role ?? "–",
      job.modelId ?? "–",
      standing(io, job),
      job.rewardBlind == null ? "–" : `${job.rewardBlind} BLIND`,
      job.failureCode ?? "",
    ]),
  );
  if (page.nextCursor != null) io.note(`More: blindference-edge jobs list --cursor '${page.nextCursor}'`);
}

async function showJob(id: string, options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const job = await api.get(`/api/assignments/${encodeURIComponent(id)}`, jobAnswer);
  if (options.json === true) return io.json(job);
  io.print(io.paint("bold", job.jobId));
  // Where the history is behind or does not answer, what the objects say stands alone.
  for (const live of job.jobs ?? []) {
    if (!job.rows.some(({ node }) => node === live.node)) io.print(headline(live.node, live, live.state));
  }
  for (const row of job.rows) printRow(io, row);
  if (job.timeline == null) return io.note("The history does not answer: times are not shown.");
  printTimeline(io, job.timeline);
}

function headline(
  node: string | null | undefined,
  { role, modelId }: Pick<JobRow, "role" | "modelId">,
  state: string,
): string {
  return `${node ?? "a node"}: ${role ?? "a part unknown"} for ${modelId ?? "a model unknown"}, ${state}`;
}

function printRow(io: Io, row: JobRow): void {
  io.print(headline(row.node, row, standing(io, row)));
  const reward = row.rewardBlind == null ? undefined : `${row.rewardBlind} BLIND`;
  for (const [name, value] of [...LINKS.map(([title, key]) => [title, row[key]]), ["reward", reward]]) {
    if (typeof value === "string") io.print(`  ${io.paint("dim", String(name).padEnd(18))} ${value}`);
  }
  if (row.failureCode == null) return;
  io.print(`  ${io.paint("red", row.failureCode)}: ${row.failureMessage ?? "no reason was kept"}`);
  if (row.failureHint != null) io.print(`    fix: ${row.failureHint}`);
}

function printTimeline(io: Io, timeline: readonly Moment[]): void {
  const since = timeline.map(({ at }, index) => {
    const before = timeline[index - 1];
    return before === undefined ? "" : `+${duration(at - before.at)}`;
  });
  const width = Math.max(0, ...since.map((text) => text.length));
  for (const [index, { at, type, node }] of timeline.entries()) {
    const whose = node == null ? "" : short(node);
    io.print(
      `  ${io.paint("dim", moment(at))}  ${(since[index] ?? "").padEnd(width)}  ${type.padEnd(20)} ${whose}`.trimEnd(),
    );
  }
}

const LINKS = [
  ["prompt", "promptCid"],
  ["output", "outputCid"],
  ["commitment", "commitment"],
  ["leader's", "leaderCommitment"],
  ["verdict", "verdict"],
  ["transaction", "grantTx"],
] as const;

async function showEarnings(options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const answer = await api.get("/api/earnings", earningsAnswer);
  if (options.json === true) return io.json(answer);
  for (const node of answer.nodes) {
    io.print(io.paint("bold", node.node));
    io.print(`  ${earned(node)}`);
    if (node.stats == null) continue;
    const { totalJobs, success, failed, slashed, currentStakeBlind } = node.stats;
    const rate = totalJobs && success != null ? ` (${Math.round((100 * success) / totalJobs)} %)` : "";
    const known = (count: number | null | undefined) => count ?? "unknown";
    io.print(
      `  jobs ${known(totalJobs)}: ${known(success)} accepted${rate}, ${known(failed)} failed, ${known(slashed)} slashed`,
    );
    if (currentStakeBlind != null) io.print(`  stake ${currentStakeBlind} BLIND, by the payment service`);
  }
}

function earned({ stats, lastKnown }: Earnings): string {
  if (stats != null) return `earned ${stats.totalEarnedBlind} BLIND`;
  if (lastKnown == null) return "earned: unknown, the payment service has never answered this node";
  return `earned: unknown since ${moment(lastKnown.atMs)} UTC; then ${lastKnown.totalBlind} BLIND${lastKnown.jobsCount == null ? "" : ` for ${lastKnown.jobsCount} jobs`}`;
}

async function claimRewards(options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const [pending, earnings] = await Promise.all([
    api.get("/api/assignments", jobsAnswer, { status: "accepted", limit: "200" }),
    api.get("/api/earnings", earningsAnswer),
  ]);
  const unpaid = pending.assignments.filter((job) => job.rewardBlind == null);
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
  for (const job of unpaid) io.print(`  ${moment(job.offeredAt)}  ${job.jobId}  ${job.role ?? ""}`.trimEnd());
  for (const node of earnings.nodes) io.print(`${short(node.node)}: ${earned(node)}`);
}

function standing(io: Io, { state, outcome }: JobRow): string {
  if (state === "failed") return io.paint("red", "failed");
  if (state !== "settled") return io.paint("cyan", state);
  return io.paint(outcome === "accepted" ? "green" : "yellow", outcome ?? "unknown");
}
