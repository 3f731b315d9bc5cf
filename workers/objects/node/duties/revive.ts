/**
 * Wakes jobs that have not been heard of for a while: an Assignment's alarm may be lost, as the Node object's own may.
 * A job whose object holds nothing is taken off the list, so that no slot is held for ever; an offer that was never
 * handed over is the poll's business.
 */
import { assignmentName } from "../../names.ts";
import { type NodeContext, tell } from "../context.ts";

const QUIET_MS = 60_000;

export async function reviveDuty(context: NodeContext): Promise<void> {
  const { env, jobs, signer, kit } = context;
  const nowMs = kit.clock.now();
  const quiet = jobs.unfinished().filter(({ handed, atMs }) => handed && nowMs - atMs > QUIET_MS);
  await Promise.all(
    quiet.map(async ({ jobId }) => {
      const alive = await env.ASSIGNMENT.getByName(assignmentName(signer.address, jobId)).wake();
      if (alive) return;
      jobs.moved(jobId, "failed", false, kit.clock.now());
      tell(context, "error", "job.lost", {
        jobId,
        hint: "Its object holds no record: report this with the log lines around it.",
      });
    }),
  );
}
