import { describe, expect, it } from "vitest";
import { VERSION } from "../core/version.ts";
import { countingRefusals, createMetrics } from "./metrics.ts";
import { createTestLog } from "./test-parts.ts";

const GAUGES = {
  running: 2,
  queued: 1,
  slots: 8,
  queueMax: 16,
  stored: { running: 3, done: 40 },
  poolSize: 4,
  poolReady: 3,
};

/** Of Prometheus' text format 0.0.4. */
const LABEL = String.raw`[a-zA-Z_]\w*="(?:[^"\\\n]|\\\\|\\"|\\n)*"`;
const SAMPLE = new RegExp(`^([a-zA-Z_]\\w*)(\\{${LABEL}(?:,${LABEL})*\\})? (\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`);

function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))) {
    const match = SAMPLE.exec(line);
    if (match === null) throw new Error(`no sample: ${line}`);
    const name = `${match[1]}${match[2] ?? ""}`.replace("blf_sidecar_", "");
    if (samples.has(name)) throw new Error(`twice: ${name}`);
    samples.set(name, Number(match[3]));
  }
  return samples;
}

describe("The metrics", () => {
  it("are Prometheus' text: each family once, with its help and type before its samples, under one prefix", () => {
    const text = createMetrics(1_767_700_800_500).render(GAUGES);
    expect(text.endsWith("\n")).toBe(true);
    expect(samplesOf(text).size).toBeGreaterThan(20);
    const seen = new Set<string>();
    let family = { name: "", type: "" };
    for (const line of text.trimEnd().split("\n")) {
      const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
      if (kind === "HELP") {
        expect(seen.has(name)).toBe(false);
        seen.add(name);
        family = { name, type: "" };
      } else if (kind === "TYPE") {
        expect(name).toBe(family.name);
        family.type = rest;
        expect(name.endsWith("_total")).toBe(rest === "counter");
      } else {
        const suffixes = { histogram: "(_bucket|_sum|_count)", summary: "(_sum|_count)" }[family.type] ?? "";
        expect(line).toMatch(new RegExp(`^${family.name}${suffixes}[ {]`));
      }
    }
    for (const name of seen) expect(name).toMatch(/^blf_sidecar_[a-z_]+$/);
  });

  it("show the present state as it is given", () => {
    const samples = samplesOf(createMetrics(1_500).render(GAUGES));
    expect(Object.fromEntries(samples)).toMatchObject({
      [`build_info{version="${VERSION}"}`]: 1,
      start_time_seconds: 1.5,
      executions_running: 2,
      executions_queued: 1,
      executions_slots: 8,
      executions_queue_limit: 16,
      'executions_stored{state="running"}': 3,
      'executions_stored{state="done"}': 40,
      output_keys_pool_limit: 4,
      output_keys_pool_ready: 3,
    });
  });

  it("count executions by outcome, and time those that were done, by step", () => {
    const metrics = createMetrics(0);
    metrics.executionEnded({ outcome: "done", ms: 250, timingsMs: { key: 100, infer: 150, unheard: 9 } });
    metrics.executionEnded({ outcome: "done", ms: 251, timingsMs: { key: 1 } });
    metrics.executionEnded({ outcome: "done", ms: 900_000, timingsMs: {} });
    metrics.executionEnded({ outcome: "failed", ms: 7_000, timingsMs: {} });
    metrics.executionEnded({ outcome: "cancelled", ms: 1, timingsMs: {} });
    const text = metrics.render(GAUGES);
    expect(text).not.toContain("unheard");
    expect(Object.fromEntries(samplesOf(text))).toMatchObject({
      'executions_ended_total{outcome="done"}': 3,
      'executions_ended_total{outcome="failed"}': 1,
      'executions_ended_total{outcome="cancelled"}': 1,
      'execution_duration_seconds_bucket{le="0.25"}': 1,
      'execution_duration_seconds_bucket{le="0.5"}': 2,
      'execution_duration_seconds_bucket{le="300"}': 2,
      'execution_duration_seconds_bucket{le="+Inf"}': 3,
      execution_duration_seconds_sum: 900.501,
      execution_duration_seconds_count: 3,
      'execution_step_seconds_sum{step="key"}': 0.101,
      'execution_step_seconds_count{step="key"}': 2,
      'execution_step_seconds_count{step="infer"}': 1,
      'execution_step_seconds_count{step="prompt"}': 0,
    });
  });

  it("count signatures by kind and outcome, and refusals by reason, whatever characters are in it", () => {
    const metrics = createMetrics(0);
    for (const given of [true, true, false]) metrics.signed("icl", given);
    metrics.refused('a "b" \\ c\nd');
    const text = metrics.render(GAUGES);
    expect(text).toContain('requests_refused_total{reason="a \\"b\\" \\\\ c\\nd"} 1\n');
    expect(Object.fromEntries(samplesOf(text))).toMatchObject({
      'signatures_total{kind="icl",outcome="given"}': 2,
      'signatures_total{kind="icl",outcome="refused"}': 1,
    });
  });

  it("learn of refused requests from the log, which stays as it was", () => {
    const metrics = createMetrics(0);
    const { log, logged } = createTestLog();
    const counting = countingRefusals(log, metrics);
    counting("warn", "request.refused", { reason: "forged", key: "k" });
    counting("warn", "request.refused");
    counting("info", "request.taken", { reason: "none" });
    const samples = samplesOf(metrics.render(GAUGES));
    expect([...samples].filter(([name]) => name.startsWith("requests_refused"))).toEqual([
      ['requests_refused_total{reason="forged"}', 1],
      ['requests_refused_total{reason="unknown"}', 1],
    ]);
    expect(logged.map(({ event }) => event)).toEqual(["request.refused", "request.refused", "request.taken"]);
    expect(logged[0]?.fields).toEqual({ reason: "forged", key: "k" });
  });
});
