/** `logs`: the nodes' events as the history has them, and on from there with --follow. */
import { type Command, Option } from "commander";
import type * as z from "zod";
import { type CommonOptions, contextFor, defineCommand, wholeNumber, withOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { moment } from "../format.ts";
import type { Io } from "../io.ts";
import { eventsAnswer } from "../node/shapes.ts";

type Event = z.infer<typeof eventsAnswer>["events"][number];

interface LogsOptions extends CommonOptions {
  follow?: true;
  lines: number;
  job?: string;
  level?: string;
}

const FOLLOW_MS = 2_000;
/** Questions in a row that a node may leave unanswered while it is followed: a deploy takes seconds. */
const PATIENCE = 30;

export function logsCommand(): Command {
  const command = defineCommand("logs", "Show the node's events: jobs, certificates, pauses, transactions, errors", [
    "logs",
    "logs --follow",
    "logs --job 0x1234… --json",
    "logs --level warn --lines 200",
  ])
    .option("-f, --follow", "go on with what happens, until Ctrl-C")
    .option("-n, --lines <count>", "how many of the latest events, 1 to 500", wholeNumber(1, 500), 50)
    .option("--job <id>", "only this job's")
    .addOption(
      new Option("--level <level>", "this and everything more serious").choices(["debug", "info", "warn", "error"]),
    );
  return withOptions(command, "json", "url", "node", "envFile").action(logs);
}

async function logs(options: LogsOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const query = { job: options.job, level: options.level };
  const ask = (more: Record<string, string>) => api.get("/api/events", eventsAnswer, { ...query, ...more });
  const show = (events: readonly Event[]) => {
    // One JSON object a line: it is a stream, whose end nobody waits for.
    for (const event of events) io.print(options.json === true ? JSON.stringify(event) : line(io, event));
  };
  const first = await ask({ limit: String(options.lines) });
  show(first.events);
  let after = first.next ?? "0";
  let unanswered = 0;
  while (options.follow === true) {
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    try {
      const next = await ask({ after, limit: "500" });
      show(next.events);
      after = next.next ?? after;
      unanswered = 0;
    } catch (error) {
      unanswered += 1;
      if (!(error instanceof CliError) || error.exit !== "unreachable" || unanswered > PATIENCE) throw error;
      if (unanswered === 1) io.note("The node does not answer; waiting for it.");
    }
  }
}

function line(io: Io, { at, level, type, node, jobId, fields = {} }: Event): string {
  const color = level === "error" ? "red" : level === "warn" ? "yellow" : "dim";
  const details = Object.entries(fields)
    .filter(([name, value]) => value !== null && name !== "jobId" && name !== "node")
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [
    io.paint("dim", moment(at)),
    io.paint(color, (level ?? "").padEnd(5)),
    io.paint("bold", type),
    ...(jobId == null && node == null ? [] : [jobId ?? node]),
    ...details,
  ].join(" ");
}
