/**
 * Reads a job's row of any schema up to this version's: older ones are brought up step by step (upgrades.ts), so that a
 * version put in place in the middle of jobs carries them on. It refuses a row of a newer schema, which a version that
 * was taken back must leave alone, and a damaged one. It never throws: a row that cannot be read must not end its object.
 */
import { type Result, refuse } from "../result.ts";
import { JOB_SCHEMA, type Job } from "./job.ts";
import { jobShape } from "./job-shape.ts";
import { type RawJob, UPGRADES, type Upgrade } from "./upgrades.ts";

/** Why a row cannot be worked on, in words for the log and the API; holds nothing of the row but field names. */
export interface UnreadableJob {
  /** `newer`: it may be read again once the newer version is back. `damaged`: nothing will read it as it is. */
  reason: "newer" | "damaged";
  code: "job-newer" | "job-damaged";
  message: string;
  hint: string;
}

/** A row as stored: its schema and its JSON. See `upgradeJob`. */
export function readJob(schema: number, json: string): Result<Job, UnreadableJob> {
  // A newer version may write rows in another way altogether.
  if (schema > JOB_SCHEMA) return newer(schema, JOB_SCHEMA);
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    // The parser's own message would quote the row.
    return damaged(schema, "it is not JSON");
  }
  return upgradeJob(schema, raw);
}

/**
 * @param schema the schema that the row was saved in, which counts, whatever the row itself says
 * @param raw the row, parsed
 * @param steps as many as lead to this version's schema
 * @returns the job in the current schema, its `version` unchanged: nothing has happened to it
 */
export function upgradeJob(
  schema: number,
  raw: unknown,
  steps: readonly Upgrade[] = UPGRADES,
): Result<Job, UnreadableJob> {
  if (!Number.isSafeInteger(schema) || schema < 1) return damaged(schema, "there is no such schema");
  if (schema > steps.length + 1) return newer(schema, steps.length + 1);
  if (!isRecord(raw)) return damaged(schema, "it is not an object");
  const upgraded = climb(schema, raw, steps.slice(schema - 1));
  if (!upgraded.ok) return upgraded;
  const parsed = jobShape.safeParse({ ...upgraded.value, schema: JOB_SCHEMA });
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  return damaged(schema, `field ${issue?.path.join(".") || "?"} is missing or wrong`);
}

function climb(schema: number, row: RawJob, steps: readonly Upgrade[]): Result<RawJob, UnreadableJob> {
  try {
    return { ok: true, value: steps.reduce((current, step) => step(current), row) };
  } catch {
    return damaged(schema, "it could not be brought up to this version");
  }
}

function isRecord(raw: unknown): raw is RawJob {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

function newer(schema: number, current: number): Result<never, UnreadableJob> {
  return refuse({
    reason: "newer",
    code: "job-newer",
    message: `the job was saved in schema ${schema} by a newer version; this one reads up to ${current}`,
    hint: "Deploy the newer version again: it carries the job on. Until then the job is left as it is.",
  });
}

function damaged(schema: number, what: string): Result<never, UnreadableJob> {
  return refuse({
    reason: "damaged",
    code: "job-damaged",
    message: `the job's row of schema ${schema} cannot be read: ${what}`,
    hint: "The job is left as it is and will not be finished. Report this with the log lines around it.",
  });
}
