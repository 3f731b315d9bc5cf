/** What the nodes logged about each job, for the evidence beside a violation. */
import type { NodeLogLine } from "../../devnet/node-process.ts";

export class Journal {
  readonly #byJob = new Map<string, NodeLogLine[]>();

  add(line: NodeLogLine): void {
    if (typeof line.jobId !== "string") return;
    const lines = this.#byJob.get(line.jobId);
    if (lines === undefined) this.#byJob.set(line.jobId, [line]);
    else lines.push(line);
  }

  /** The job's lines, in order of arrival, indented. */
  of(jobId: string): string {
    return (this.#byJob.get(jobId) ?? []).map((line) => `    ${JSON.stringify(line)}`).join("\n");
  }

  failedAt(node: string, jobId: string, effect: string): boolean {
    const lines = this.#byJob.get(jobId) ?? [];
    return lines.some((line) => line.event === "job.effect-failed" && line.node === node && line.effect === effect);
  }
}
