/**
 * The shape of a job's row in the current schema, checked whenever a row is read: a row that misses a field is damaged,
 * and work on it would go wrong in ways that cost stake. Fields it does not know are kept.
 */
import * as z from "zod";
import { role } from "../icl/schema.ts";
import { EFFECTS, JOB_SCHEMA, JOB_STATES, type Job, OUTCOMES } from "./job.ts";

const count = z.int().min(0);
const nullableText = z.string().nullable();
const keyHandles = z.looseObject({ high: z.string(), low: z.string() }).nullable();
/** Codes grow with the versions; one that is not known here still says what it says. */
const code = z.custom<NonNullable<Job["failure"]>["code"]>((value) => typeof value === "string");
const reason = { code, message: z.string(), hint: z.string() };

const encryptedInput = z.looseObject({
  ctHash: z.string(),
  securityZone: z.number(),
  utype: z.number(),
  signature: z.string(),
});

const progress = z.looseObject({
  attempts: count,
  waits: count,
  notBeforeMs: z.number(),
  lastError: z.exactOptional(z.looseObject(reason)),
});

export const jobShape = z.looseObject({
  schema: z.literal(JOB_SCHEMA),
  version: z.int().min(1),
  node: z.string().min(1),
  jobId: z.string().min(1),
  role,
  modelId: z.string(),
  promptCid: z.string(),
  userAddress: z.string(),
  insuranceOptIn: z.boolean(),
  state: z.enum(JOB_STATES),
  times: z.partialRecord(z.enum(JOB_STATES), z.number()),
  assignmentDeadlineMs: z.number(),
  deadlineMs: z.number(),
  claimSentAtMs: z.number().nullable(),
  offeredHandles: keyHandles,
  keyHandles,
  outputKey: nullableText,
  encryptedKey: z.looseObject({ high: encryptedInput, low: encryptedInput }).nullable(),
  answerDigest: nullableText,
  outputCid: nullableText,
  leaderCommitment: nullableText,
  commitment: nullableText,
  verdict: z.enum(["CONFIRM", "REJECT"]).nullable(),
  grantTx: nullableText,
  outcome: z.enum(OUTCOMES).nullable(),
  failure: z.looseObject({ ...reason, in: z.enum(JOB_STATES) }).nullable(),
  work: z.partialRecord(z.enum(EFFECTS), progress),
  timingsMs: z.record(z.string(), z.number()),
}) satisfies z.ZodType<Job>;
