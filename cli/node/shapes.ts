/**
 * The API's answers as far as commands read them (docs/operate/api.md). A node of another version may lack a field: what
 * only feeds a line that is printed is optional, and the line left out. Nothing is filled in, and fields that no command
 * names are kept, so that `--json` shows what the node said.
 */
import * as z from "zod";

const failure = z.looseObject({ code: z.string(), message: z.string(), hint: z.string().optional() });
const text = z.string().nullish();
const count = z.number().nullish();

export const nodeStatus = z.looseObject({
  address: z.string(),
  state: z.string(),
  holds: z
    .array(
      z.looseObject({
        code: z.string(),
        reason: z.string(),
        blocks: z.string().optional(),
        hint: z.string().optional(),
      }),
    )
    .optional(),
  failures: z.looseObject({ inARow: z.number(), chain: count, onProbation: z.boolean().optional() }).optional(),
  executor: text,
  attestationBackend: text,
  tier: count,
  certificate: z.looseObject({ secondsLeft: z.number(), certHash: text }).nullish(),
  lastPollAtMs: count,
  lastHeartbeatAtMs: count,
  models: z.array(z.string()).optional(),
  roles: z.array(z.string()).optional(),
  slots: z.looseObject({ total: z.number(), open: z.number() }).optional(),
  openJobs: z.array(z.looseObject({ jobId: z.string(), role: text, modelId: text, state: text })).optional(),
  lastError: failure.extend({ atMs: count }).nullish(),
  clockSkewMs: count,
});
export type NodeStatus = z.infer<typeof nodeStatus>;

export const statusAnswer = z.looseObject({
  version: text,
  faults: z
    .array(
      z.looseObject({ setting: z.string(), message: z.string(), fix: z.string().optional(), severity: z.string() }),
    )
    .optional(),
  nodes: z.array(nodeStatus),
});

export const commandAnswer = z.looseObject({
  nodes: z.array(z.looseObject({ node: z.string(), ok: z.boolean(), failure: failure.optional() })),
});

export const jobRow = z.looseObject({
  node: z.string(),
  jobId: z.string(),
  role: text,
  modelId: text,
  state: z.string(),
  outcome: text,
  rewardBlind: text,
  failureCode: text,
  failureMessage: text,
  failureHint: text,
  offeredAt: count,
});
export const jobsAnswer = z.looseObject({ assignments: z.array(jobRow), nextCursor: text });

export const jobAnswer = z.looseObject({
  jobId: z.string(),
  /** As the objects have them now; the rows are the history's. */
  jobs: z.array(z.looseObject({ node: text, role: text, modelId: text, state: z.string() })).optional(),
  rows: z.array(jobRow),
  timeline: z.array(z.looseObject({ at: z.number(), type: z.string(), node: text })).nullish(),
});

export const earningsAnswer = z.looseObject({
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      stats: z
        .looseObject({
          totalEarnedBlind: z.string(),
          totalJobs: count,
          success: count,
          failed: count,
          slashed: count,
          currentStakeBlind: text,
        })
        .nullish(),
      lastKnown: z.looseObject({ totalBlind: z.number(), jobsCount: count, atMs: z.number() }).nullish(),
    }),
  ),
});

export const modelsAnswer = z.looseObject({
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      models: z.array(z.looseObject({ id: z.string(), backend: text, served: z.boolean().optional() })),
    }),
  ),
});

export const eventsAnswer = z.looseObject({
  events: z.array(
    z.looseObject({
      at: z.number(),
      type: z.string(),
      level: text,
      node: text,
      jobId: text,
      fields: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
  next: text,
});

export const guardFile = z.looseObject({ metadata: z.looseObject({ format: z.string() }), data: z.array(z.unknown()) });
export const guardAnswer = z.looseObject({
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      imported: count,
      known: count,
      conflicts: z.array(z.unknown()),
    }),
  ),
});
