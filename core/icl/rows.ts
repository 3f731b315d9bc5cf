/** Reads the rows of an assignments answer one by one, so that a row that cannot be used hides no other. */
import { faultyFields } from "./faulty-fields.ts";
import { type Assignment, assignment } from "./schema.ts";

export interface AssignmentList {
  assignments: Assignment[];
  /** Rows that cannot be used: the job, where it can be told, and the fields at fault. The same at every poll. */
  rejected: { reason: string }[];
}

export function readRows(rows: readonly unknown[]): AssignmentList {
  const list: AssignmentList = { assignments: [], rejected: [] };
  for (const row of rows) {
    const parsed = assignment.safeParse(row);
    if (parsed.success) list.assignments.push(parsed.data);
    else list.rejected.push({ reason: `${nameOf(row)}: ${faultyFields(parsed.error)}` });
  }
  return list;
}

/** The row's job id, if it is one that may be shown as it is. */
function nameOf(row: unknown): string {
  const jobId = typeof row === "object" && row !== null && "jobId" in row ? row.jobId : undefined;
  return typeof jobId === "string" && /^[\w.:-]{1,80}$/.test(jobId) ? `job ${jobId}` : "a job without a usable id";
}
