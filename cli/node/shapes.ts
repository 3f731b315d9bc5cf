/**
 * The API's answers as far as commands read them (docs/operate/api.md). Fields that a command does not name are kept for
 * `--json`, which shows what the node said.
 */
import * as z from "zod";

const ms = z.number().nullable();
const failure = z.looseObject({ code: z.string(), message: z.string(), hint: z.string() });

export const nodeStatus = z.looseObject({
  address: z.string(),
  state: z.string(),
  holds: z.array(z.looseObject({ code: z.string(), blocks: z.string(), reason: z.string(), hint: z.string() })),
  failures: z.looseObject({ inARow: z.number(), chain: z.number().nullable(), onProbation: z.boolean() }),
  dependencies: z.array(z.looseObject({ name: z.string() })),
  executor: z.string(),
  attestationBackend: z.string(),
  tier: z.number().nullable(),
  certificate: z.looseObject({ certHash: z.string(), expiresAtSec: z.number(), secondsLeft: z.number() }).nullable(),
  lastPollAtMs: ms,
  lastHeartbeatAtMs: ms,
  models: z.array(z.string()),
  roles: z.array(z.string()),
  slots: z.looseObject({ total: z.number(), open: z.number() }),
  openJobs: z.array(z.looseObject({ jobId: z.string(), role: z.string(), modelId: z.string(), state: z.string() })),
  lastError: failure.extend({ atMs: z.number() }).nullable(),
  clockSkewMs: z.number().nullable(),
});
export type NodeStatus = z.infer<typeof nodeStatus>;

export const statusAnswer = z.looseObject({
  version: z.string(),
  configured: z.boolean(),
  faults: z.array(z.looseObject({ setting: z.string(), message: z.string(), fix: z.string(), severity: z.string() })),
  nodes: z.array(nodeStatus),
});
export type StatusAnswer = z.infer<typeof statusAnswer>;

export const commandAnswer = z.looseObject({
  nodes: z.array(z.looseObject({ node: z.string(), ok: z.boolean(), failure: failure.optional() })),
});

export const jobRow = z.looseObject({
  node: z.string(),
  jobId: z.string(),
  role: z.string(),
  modelId: z.string(),
  state: z.string(),
  outcome: z.string().nullable(),
  rewardBlind: z.string().nullable(),
  failureCode: z.string().nullable(),
  failureMessage: z.string().nullable(),
  failureHint: z.string().nullable(),
  offeredAt: z.number(),
});
export const jobsAnswer = z.looseObject({ assignments: z.array(jobRow), nextCursor: z.string().nullable() });

export const jobAnswer = z.looseObject({
  jobId: z.string(),
  jobs: z.array(z.looseObject({ node: z.string().optional(), state: z.string() })),
  rows: z.array(jobRow),
  timeline: z
    .array(
      z.looseObject({ at: z.number(), type: z.string(), node: z.string(), fields: z.record(z.string(), z.unknown()) }),
    )
    .nullable(),
});

export const earningsAnswer = z.looseObject({
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      stats: z
        .looseObject({
          totalJobs: z.number(),
          success: z.number(),
          failed: z.number(),
          slashed: z.number(),
          currentStakeBlind: z.string(),
          totalEarnedBlind: z.string(),
        })
        .nullable(),
      lastKnown: z.looseObject({ totalBlind: z.number(), jobsCount: z.number(), atMs: z.number() }).nullable(),
    }),
  ),
});

export const modelsAnswer = z.looseObject({
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      models: z.array(z.looseObject({ id: z.string(), backend: z.string(), served: z.boolean() })),
    }),
  ),
});

export const eventsAnswer = z.looseObject({
  events: z.array(
    z.looseObject({
      id: z.string(),
      node: z.string(),
      jobId: z.string().nullable(),
      at: z.number(),
      level: z.string(),
      type: z.string(),
      fields: z.record(z.string(), z.unknown()),
    }),
  ),
  next: z.string().nullable(),
});

export const guardFile = z.looseObject({ metadata: z.looseObject({ format: z.string() }), data: z.array(z.unknown()) });
export const guardAnswer = z.looseObject({
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      imported: z.number(),
      known: z.number(),
      conflicts: z.array(z.unknown()),
    }),
  ),
});
