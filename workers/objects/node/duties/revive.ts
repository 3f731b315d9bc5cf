/**
 * Wakes jobs that have not been heard of for a while: an Assignment's alarm may be lost, as the Node object's own may.
 * A job whose object holds nothing, or nothing that this version can read, is taken off the list once its deadline must
 * have passed, so that no slot is held for ever; an offer that was never handed over is the poll's business.
 */
import { assignmentName } from "../../names.ts";
import { type NodeContext, tell } from "../context.ts";

const QUIET_MS = 60_000;
/** Longer than any claim and any assignment of today's coordinators lasts. */
const GIVEN_UP_MS = 900_000;

export async function reviveDuty(context: NodeContext): Promise<void> {
  const { env, jobs, signer, kit } = context;
  const nowMs = kit.clock.now();
  const quiet = jobs.unfinished().filter(({ handed, atMs }) => handed && nowMs - atMs > QUIET_MS);
  await Promise.all(
    quiet.map(async ({ jobId, atMs }) => {
      const found = await env.ASSIGNMENT.getByName(assignmentName(signer.address, jobId)).wake();
      if (found === "awake") return;
      // Nothing works on it now: its slot is another's until a version that reads it is back.
      jobs.release(jobId);
      if (nowMs - atMs < GIVEN_UP_MS) return;
      jobs.moved(jobId, "failed", false, kit.clock.now());
      tell(context, "error", "job.lost", {
        jobId,
        hint: "Its object has no record that this version can read: see assignment.unreadable in the log.",
      });
    }),
  );
}
