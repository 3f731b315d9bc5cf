/**
 * The sidecar's metrics in Prometheus' text format (version 0.0.4): names in base units, counters end in `_total`, and no
 * label holds what comes from outside but a reason of ours. They count from the start of the process.
 */
import type { Log } from "../core/ports.ts";
import { VERSION } from "../core/version.ts";
import type { Outcome } from "./executions/executions.ts";

export interface Gauges {
  running: number;
  queued: number;
  slots: number;
  queueMax: number;
  /** Kept on disk, by state. */
  stored: Readonly<Record<string, number>>;
  poolSize: number;
  poolReady: number;
}

export interface Metrics {
  executionEnded(ended: { outcome: Outcome; ms: number; timingsMs: Readonly<Record<string, number>> }): void;
  refused(reason: string): void;
  signed(kind: string, given: boolean): void;
  render(gauges: Gauges): string;
}

const PREFIX = "blf_sidecar";
/** From an answer out of a cache to a model that takes as long as a claim lasts. */
const BUCKETS_SEC = [0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 300];
const OUTCOMES: readonly Outcome[] = ["done", "failed", "cancelled"];
const STEPS = ["key", "prompt", "infer"];

interface Family {
  name: string;
  type: "counter" | "gauge" | "histogram" | "summary";
  help: string;
  samples: readonly (readonly [suffix: string, labels: Readonly<Record<string, string>>, value: number])[];
}

/** @param startedMs when the process started */
export function createMetrics(startedMs: number): Metrics {
  const ended = new Map<string, number>(OUTCOMES.map((outcome) => [outcome, 0]));
  const refusals = new Map<string, number>();
  const signatures = new Map<string, number>();
  const buckets = BUCKETS_SEC.map(() => 0);
  const steps = new Map(STEPS.map((step) => [step, { sumMs: 0, count: 0 }]));
  let sumMs = 0;
  let count = 0;

  return {
    executionEnded({ outcome, ms, timingsMs }) {
      add(ended, outcome);
      if (outcome !== "done") return;
      sumMs += ms;
      count += 1;
      BUCKETS_SEC.forEach((limit, index) => {
        if (ms <= limit * 1000) buckets[index] = (buckets[index] ?? 0) + 1;
      });
      for (const [step, total] of steps) {
        const took = timingsMs[step];
        if (took !== undefined) steps.set(step, { sumMs: total.sumMs + took, count: total.count + 1 });
      }
    },
    refused: (reason) => add(refusals, reason),
    signed: (kind, given) => add(signatures, `${kind} ${given ? "given" : "refused"}`),
    render(gauges) {
      const gauge = (name: string, help: string, value: number): Family => ({
        name,
        type: "gauge",
        help,
        samples: [["", {}, value]],
      });
      const families: Family[] = [
        {
          name: "build_info",
          type: "gauge",
          help: "The software's version.",
          samples: [["", { version: VERSION }, 1]],
        },
        gauge("start_time_seconds", "When the process started, Unix time.", startedMs / 1000),
        gauge("executions_running", "Executions that run.", gauges.running),
        gauge("executions_queued", "Executions that wait for a slot.", gauges.queued),
        gauge("executions_slots", "Executions that may run at a time.", gauges.slots),
        gauge("executions_queue_limit", "Executions that may wait.", gauges.queueMax),
        {
          name: "executions_stored",
          type: "gauge",
          help: "Executions that are kept, by state.",
          samples: Object.entries(gauges.stored).map(([state, value]) => ["", { state }, value] as const),
        },
        {
          name: "executions_ended_total",
          type: "counter",
          help: "Executions that ended, by outcome.",
          samples: [...ended].map(([outcome, value]) => ["", { outcome }, value] as const),
        },
        {
          name: "execution_duration_seconds",
          type: "histogram",
          help: "How long an execution took from its slot to its sealed answer.",
          samples: [
            ...BUCKETS_SEC.map((limit, index) => ["_bucket", { le: String(limit) }, buckets[index] ?? 0] as const),
            ["_bucket", { le: "+Inf" }, count],
            ["_sum", {}, sumMs / 1000],
            ["_count", {}, count],
          ],
        },
        {
          name: "execution_step_seconds",
          type: "summary",
          help: "The same by step: opening the key, fetching the prompt, asking the model.",
          samples: [...steps].flatMap(([step, total]) => [
            ["_sum", { step }, total.sumMs / 1000] as const,
            ["_count", { step }, total.count] as const,
          ]),
        },
        gauge("output_keys_pool_limit", "Output keys to be proven ahead of time, all nodes together.", gauges.poolSize),
        gauge("output_keys_pool_ready", "Output keys that are proven ahead of time.", gauges.poolReady),
        {
          name: "requests_refused_total",
          type: "counter",
          help: "Requests that were refused before they reached anything, by reason.",
          samples: [...refusals].map(([reason, value]) => ["", { reason }, value] as const),
        },
        {
          name: "signatures_total",
          type: "counter",
          help: "Signatures that were asked for, by kind and by what came of it.",
          samples: [...signatures].map(([key, value]) => {
            const [kind = "", outcome = ""] = key.split(" ");
            return ["", { kind, outcome }, value] as const;
          }),
        },
      ];
      return families.map(rendered).join("");
    },
  };
}

/** A log that also counts the requests that the HTTP side refuses: it says so there and nowhere else. */
export function countingRefusals(log: Log, metrics: Pick<Metrics, "refused">): Log {
  return (level, event, fields) => {
    if (event === "request.refused") metrics.refused(String(fields?.reason ?? "unknown"));
    log(level, event, fields);
  };
}

function rendered({ name, type, help, samples }: Family): string {
  const full = `${PREFIX}_${name}`;
  const lines = samples.map(([suffix, labels, value]) => `${full}${suffix}${labelled(labels)} ${value}`);
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines, ""].join("\n");
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
