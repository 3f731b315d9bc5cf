/**
 * The user's side of the coordinator (protocol §10): preview a quorum, upload a prompt, ask for an inference, follow it.
 * Refuses a quorum that could not be selected now, a task whose prompt key is not on chain, and a task id that is taken.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type Address, bytesToHex, type Hex } from "viem";
import { toFailure } from "../../core/errors.ts";
import { ok, type Result } from "../../core/result.ts";
import { type CoordinatorContext, toSec } from "./context.ts";
import type { Job, Member } from "./job.ts";
import { isLive, nodeRecord } from "./nodes.ts";
import type { KeyHandles } from "./ports.ts";
import { candidatesFor, checkQuorum, selectQuorum } from "./quorum.ts";
import { type Refusal, refusal, toWire } from "./refusal.ts";
import { publicJob } from "./status.ts";
import { parseBody, parseValue, previewQuery, type RequestBody, requestBody } from "./wire.ts";

/** The longest prompt a node downloads, and some room for the multipart's frame. */
const UPLOAD_MAX_BYTES = 4 * 1024 * 1024 + 4_096;
const TASK_ID_BYTES = 32;

export function userRoutes(context: CoordinatorContext): Hono {
  const app = new Hono();
  app.get("/inference/quorum-preview", (c) => preview(context, c));
  app.post("/inference/upload-prompt", bodyLimit({ maxSize: UPLOAD_MAX_BYTES }), (c) => upload(context, c));
  app.post("/inference/requests", bodyLimit({ maxSize: UPLOAD_MAX_BYTES }), (c) => request(context, c));
  app.get("/inference/:jobId", (c) => {
    const job = context.state.jobs.get(c.req.param("jobId"));
    if (job === undefined) return toWire({ kind: "not-found", detail: "no such job" });
    return c.json(publicJob(job, context.settings));
  });
  app.get("/nodes/:address", (c) => node(context, c, c.req.param("address")));
  return app;
}

function node({ state, settings, clock }: CoordinatorContext, c: Context, address: string) {
  const entry = state.nodes.get(address as Address);
  if (entry === undefined) return toWire({ kind: "not-found", detail: "no such node" });
  return c.json(nodeRecord(entry, state.jobs.values(), isLive(entry, clock.now(), settings.livenessSec)));
}

/** Every preview is the next node's turn to lead. */
function preview({ state, settings, clock }: CoordinatorContext, c: Context) {
  const query = parseValue(c.req.query(), previewQuery);
  if (!query.ok) return toWire(query.refusal);
  const wish = {
    modelId: query.value.model_id,
    minTier: query.value.min_tier,
    verifierCount: query.value.verifier_count,
  };
  const candidates = candidatesFor(state.nodes.values(), wish, clock.now(), settings.livenessSec);
  const quorum = selectQuorum(candidates, wish, state.turn);
  if (!quorum.ok) return toWire(quorum.refusal);
  state.turn += 1;
  return c.json(quorum.value);
}

async function upload({ ipfs }: CoordinatorContext, c: Context) {
  const form = await c.req.parseBody().catch(() => null);
  const file = form?.file;
  if (!(file instanceof File) || file.size === 0) {
    return toWire({ kind: "malformed", detail: "a multipart field `file` with the encrypted prompt is required" });
  }
  return c.json({ cid: await ipfs.add(new Uint8Array(await file.arrayBuffer())) });
}

async function request(context: CoordinatorContext, c: Context) {
  const { state, settings } = context;
  const body = parseBody(await c.req.text(), requestBody);
  if (!body.ok) return toWire(body.refusal);
  const job = await createJob(context, body.value);
  if (!job.ok) return toWire(job.refusal);
  const taken = state.jobs.get(job.value.id);
  if (taken !== undefined && !isSameRequest(taken, job.value)) {
    return toWire({ kind: "conflict", detail: "the task id is taken by another request" });
  }
  // The same request again, after its answer was lost, is answered with the job as it is.
  if (taken === undefined) state.jobs.set(job.value.id, job.value);
  return c.json({ ...publicJob(taken ?? job.value, settings), deadline: toSec((taken ?? job.value).deadlineMs) });
}

async function createJob(context: CoordinatorContext, body: RequestBody): Promise<Result<Job, Refusal>> {
  const { state, settings, clock, random } = context;
  const text = body.text_request;
  if (text.model_id !== body.model_id) return refusal("malformed", "the request names two models");
  const wish = { modelId: body.model_id, minTier: body.min_tier, verifierCount: body.verifier_count };
  const nowMs = clock.now();
  const members = [body.leader_address, ...body.verifier_addresses];
  const repeated = body.task_id != null && state.jobs.has(body.task_id);
  const candidates = repeated ? members : candidatesFor(state.nodes.values(), wish, nowMs, settings.livenessSec);
  const quorum = checkQuorum(members, candidates, wish);
  if (!quorum.ok) return quorum;
  const id = body.task_id ?? bytesToHex(random(TASK_ID_BYTES)).slice(2);
  const taskId: Hex = `0x${id.replace(/^0x/, "")}`;
  const promptKey = await promptKeyOf(context, body, taskId);
  if (!promptKey.ok) return promptKey;
  return ok({
    id,
    taskId,
    modelId: body.model_id,
    promptCid: text.prompt_cid,
    user: body.developer_address,
    insuranceOptIn: text.coverage_enabled,
    promptKey: promptKey.value,
    members: members.map(newMember),
    createdAtMs: nowMs,
    deadlineMs: nowMs + settings.jobDeadlineSec * 1_000,
    output: null,
    outcome: null,
    decidedAtMs: null,
    matchedAtMs: null,
    published: false,
    resultTx: null,
  });
}

function newMember(node: Address, index: number): Member {
  return { node, role: index === 0 ? "leader" : "verifier", claimsMs: [], commitment: null, failedAtMs: null };
}

/** Under the user's task id the chain has the handles; without one the request must bring them. */
async function promptKeyOf(
  { chain }: CoordinatorContext,
  body: RequestBody,
  taskId: Hex,
): Promise<Result<KeyHandles, Refusal>> {
  const given = body.text_request.encrypted_prompt_key;
  try {
    const key = body.task_id == null ? given : await chain.readPromptKey(taskId);
    if (key.high !== 0n && key.low !== 0n) return ok(key);
    return refusal("malformed", "there is no prompt key for this task");
  } catch (error) {
    return refusal("unavailable", `the chain could not be asked (${toFailure(error).code})`);
  }
}

function isSameRequest(one: Job, other: Job): boolean {
  return (
    one.user === other.user &&
    one.modelId === other.modelId &&
    one.promptCid === other.promptCid &&
    one.members.every(({ node }, index) => node === other.members[index]?.node) &&
    one.members.length === other.members.length
  );
}
