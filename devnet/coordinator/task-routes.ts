/**
 * A job as its nodes see it (protocol §1): offer, claim, result or verdict, status. Only members of the quorum get
 * anything, each only in its own role, and a claimed job is never offered again. Handles leave a claim as bare integers.
 */
import { type Context, Hono } from "hono";
import type { Address, Hex } from "viem";
import { outputKeyStoreJobId } from "../../core/crypto/output-key-id.ts";
import { toFailure } from "../../core/errors.ts";
import { ok, type Result } from "../../core/result.ts";
import { refuseForeign } from "./auth.ts";
import { type CoordinatorContext, type SignedEnv, toSec } from "./context.ts";
import { claim, commit, isOffered, type Job, type Member, memberOf } from "./job.ts";
import { type Refusal, refusal, toWire } from "./refusal.ts";
import { statusText } from "./status.ts";
import { claimBody, parseBody, type ResultBody, resultBody, stringifyWire, verdictBody } from "./wire.ts";

export function taskRoutes(context: CoordinatorContext): Hono<SignedEnv> {
  const app = new Hono<SignedEnv>();
  app.get("/assignments/:address", (c) => assignments(context, c, c.req.param("address")));
  app.post("/task/claim", (c) => claimTask(context, c));
  app.post("/task/result", (c) => submitResult(context, c));
  app.post("/task/verify", (c) => submitVerdict(context, c));
  app.get("/jobs/:jobId/status", (c) => jobStatus(context, c, c.req.param("jobId")));
  return app;
}

function assignments(context: CoordinatorContext, c: Context<SignedEnv>, address: string) {
  const { node } = c.var;
  const foreign = refuseForeign(address, node);
  if (foreign) return foreign;
  const offers = offeredJobs(context, node).map((job) => ({
    jobId: job.id,
    role: job.members.find((member) => member.node === node)?.role,
    modelId: job.modelId,
    promptCid: job.promptCid,
    deadline: toSec(job.deadlineMs),
    insuranceOptIn: job.insuranceOptIn,
    userAddress: job.user,
    kpHighHandle: job.promptKey.high.toString(),
    kpLowHandle: job.promptKey.low.toString(),
  }));
  return c.json({ assignments: offers });
}

/** With a cache a list may name jobs that were claimed since: a node must cope with that. */
function offeredJobs({ state, settings, clock }: CoordinatorContext, node: Address): readonly Job[] {
  const nowMs = clock.now();
  const cached = state.lists.get(node);
  if (cached && nowMs - cached.atMs < settings.listCacheSec * 1_000) return cached.jobs;
  const jobs = [...state.jobs.values()].filter((job) => isOffered(job, node, settings.verifiers, nowMs));
  if (settings.listCacheSec > 0) state.lists.set(node, { atMs: nowMs, jobs });
  return jobs;
}

function claimTask({ state, settings, clock }: CoordinatorContext, c: Context<SignedEnv>) {
  const body = parseBody(c.var.text, claimBody);
  if (!body.ok) return toWire(body.refusal);
  const foreign = refuseForeign(body.value.nodeAddress, c.var.node);
  if (foreign) return foreign;
  const job = state.jobs.get(body.value.jobId);
  const claimed = job === undefined ? ok(null) : claim(job, c.var.node, clock.now());
  if (!claimed.ok) return toWire(claimed.refusal);
  const promisedSec = Math.min(settings.claimDeadlineSec, settings.claimWindowSec);
  const reply = stringifyWire({
    // An unknown job is answered as if it had no key (protocol §1).
    kpHighHandle: job?.promptKey.high ?? 0n,
    kpLowHandle: job?.promptKey.low ?? 0n,
    outputKeyGranted: true,
    claimDeadline: toSec(clock.now()) + promisedSec,
  });
  return c.body(reply, 200, { "content-type": "application/json" });
}

async function submitResult(context: CoordinatorContext, c: Context<SignedEnv>) {
  const body = parseBody(c.var.text, resultBody);
  if (!body.ok) return toWire(body.refusal);
  const found = jobFor(context, body.value.jobId, c.var.node, "leader");
  if (!found.ok) return toWire(found.refusal);
  const { job, member } = found.value;
  const recorded = await recordResult(context, job, member, body.value);
  if (!recorded.ok) return toWire(recorded.refusal);
  await context.settlement.conclude(job);
  return c.json({
    status: job.published ? "committed" : "leader_result_recorded",
    job_id: job.id,
    task_id: job.taskId,
    commitment_hash: body.value.commitment_hash,
    finalized: job.published,
  });
}

async function recordResult(
  context: CoordinatorContext,
  job: Job,
  member: Member,
  body: ResultBody,
): Promise<Result<"recorded" | "repeated", Refusal>> {
  const { state, clock, settlement } = context;
  // Before the chain is asked: a double commitment is one whatever else is wrong with it.
  const isFirst = member.commitment === null;
  const granted = isFirst ? await checkOutputKey(context, job, member, body) : ok(null);
  if (!granted.ok) return granted;
  const commitment = { hash: body.commitment_hash, atMs: clock.now() };
  const recorded = commit(job, member, commitment, state.doubleCommitments);
  if (!recorded.ok || recorded.value === "repeated") return recorded;
  job.output = {
    cid: body.output_cid,
    keyHandles: { high: body.encrypted_output_key_high, low: body.encrypted_output_key_low },
    storeTx: (body.output_key_store_tx as Hex | undefined) ?? null,
  };
  settlement.delivered(job, member.node);
  return recorded;
}

/** Where the leader says that it made the key readable, the chain must say so too. */
async function checkOutputKey(
  { chain }: CoordinatorContext,
  job: Job,
  member: Member,
  body: ResultBody,
): Promise<Result<null, Refusal>> {
  const storeJobId = outputKeyStoreJobId(job.id);
  if ((body.output_key_store_job_id ?? storeJobId) !== storeJobId) {
    return refusal("malformed", 'output_key_store_job_id is not keccak256(jobId + ":output-key")');
  }
  if (body.output_key_store_tx === undefined) return ok(null);
  try {
    const stored = await chain.verifyOutputKeyTx({
      tx: body.output_key_store_tx as Hex,
      storeJobId,
      leader: member.node,
      user: job.user,
      handles: { high: BigInt(body.encrypted_output_key_high), low: BigInt(body.encrypted_output_key_low) },
    });
    return stored.ok ? stored : refusal("malformed", `output_key_store_tx ${stored.refusal}`);
  } catch (error) {
    return refusal("unavailable", `the chain could not be asked (${toFailure(error).code})`);
  }
}

async function submitVerdict(context: CoordinatorContext, c: Context<SignedEnv>) {
  const { state, clock, settlement } = context;
  const body = parseBody(c.var.text, verdictBody);
  if (!body.ok) return toWire(body.refusal);
  const { jobId, verifier_address: address, commitment_hash: hash, verdict, confidence } = body.value;
  const foreign = refuseForeign(address, c.var.node);
  if (foreign) return foreign;
  const found = jobFor(context, jobId, c.var.node, "verifier");
  if (!found.ok) return toWire(found.refusal);
  const { job, member } = found.value;
  const commitment = { hash, verdict, confidence, atMs: clock.now() };
  const recorded = commit(job, member, commitment, state.doubleCommitments);
  if (!recorded.ok) return toWire(recorded.refusal);
  const wasPublished = job.published;
  if (recorded.value === "recorded") {
    settlement.delivered(job, member.node);
    await settlement.conclude(job);
  }
  const news = !wasPublished && job.published ? "committed" : "verifier_verdict_recorded";
  return c.json({
    status: recorded.value === "repeated" ? "already_recorded" : news,
    job_id: job.id,
    task_id: job.taskId,
    commitment_hash: hash,
    finalized: job.published,
  });
}

function jobStatus({ state, settings }: CoordinatorContext, c: Context<SignedEnv>, jobId: string) {
  const job = state.jobs.get(jobId);
  if (job === undefined) return toWire({ kind: "not-found", detail: "no such job" });
  const member = memberOf(job, c.var.node);
  if (!member.ok) return toWire(member.refusal);
  const absent = settings.noneString ? "None" : null;
  return c.json({
    jobId: job.id,
    status: statusText(job, settings),
    outputCid: job.output?.cid ?? absent,
    leaderCommitment: job.members[0]?.commitment?.hash ?? absent,
    // Never filled, as on the network: a node has to stop at its own deadline.
    failureReason: null,
    nodeAssignments: job.members.map(({ node, role }) => ({ nodeAddress: node, role })),
  });
}

/** The job and the caller's part in it. Refuses unknown jobs, strangers, and the other role. */
function jobFor(
  { state }: CoordinatorContext,
  jobId: string,
  node: Address,
  role: Member["role"],
): Result<{ job: Job; member: Member }, Refusal> {
  const job = state.jobs.get(jobId);
  if (job === undefined) return refusal("not-found", "no such job");
  const member = memberOf(job, node);
  if (!member.ok) return member;
  if (member.value.role !== role) return refusal("forbidden", `this node is not the job's ${role}`);
  return ok({ job, member: member.value });
}
