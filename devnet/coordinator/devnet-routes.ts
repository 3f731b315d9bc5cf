/**
 * What only a devnet's coordinator has: forgetting all its nodes as a restart would, and telling everything it recorded.
 * Open to everyone on the machine, like all of the devnet.
 */
import { type Context, Hono } from "hono";
import type { CoordinatorContext } from "./context.ts";
import type { Job } from "./job.ts";
import { isLive } from "./nodes.ts";
import { toWire } from "./refusal.ts";
import type { CoordinatorSettings } from "./settings.ts";
import { forget } from "./state.ts";
import { publicJob } from "./status.ts";
import { forgetBody, parseBody } from "./wire.ts";

export function devnetRoutes(context: CoordinatorContext): Hono {
  const app = new Hono();
  app.post("/forget", (c) => forgetNodes(context, c));
  app.get("/stats", (c) => c.json(coordinatorStats(context)));
  return app;
}

export type CoordinatorStats = ReturnType<typeof coordinatorStats>;

/** Everything on record: nodes, jobs with each member's claims and commitment, and what is held against nodes. */
export function coordinatorStats({ state, settings, clock }: CoordinatorContext) {
  const nowMs = clock.now();
  return {
    nodes: [...state.nodes.values()].map((entry) => ({
      ...entry,
      live: isLive(entry, nowMs, settings.livenessSec),
    })),
    jobs: [...state.jobs.values()].map((job) => jobStats(job, settings)),
    doubleCommitments: state.doubleCommitments,
    failuresRecorded: state.failures,
    faults: state.faults,
    unknownNodes: state.unknownNodes,
  };
}

function jobStats(job: Job, settings: CoordinatorSettings) {
  const { createdAtMs, deadlineMs, matchedAtMs, decidedAtMs, outcome, members } = job;
  return { ...publicJob(job, settings), createdAtMs, deadlineMs, matchedAtMs, decidedAtMs, outcome, members };
}

async function forgetNodes({ state }: CoordinatorContext, c: Context) {
  const body = parseBody((await c.req.text()) || "{}", forgetBody);
  if (!body.ok) return toWire(body.refusal);
  const nodes = state.nodes.size;
  forget(state, body.value.mode, body.value.keepJobs);
  return c.json({ forgotten: nodes, mode: body.value.mode });
}
