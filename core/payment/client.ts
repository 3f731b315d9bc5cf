/**
 * Reads what the payment service knows about a node (protocol §9). Read-only: rewards are paid out by the service
 * itself. Throws NodeError `payment-unavailable`, so that callers can say "unknown since" instead of 0.
 */
import * as z from "zod";
import { NodeError } from "../errors.ts";
import { requestText } from "../http.ts";
import { parseLossless } from "../icl/json.ts";
import type { Clock, Fetch } from "../ports.ts";

export interface PaymentService {
  endpoint: string;
  fetch: Fetch;
  clock: Clock;
}

export interface Earnings {
  /** BLIND, whole tokens with fractions. */
  totalBlind: number;
  jobsCount: number;
}

export interface PaidJob {
  jobId: string;
  role: string;
  status: string;
  amountBlind: number | null;
  modelId: string | null;
  completedAt: string | null;
}

export interface NodeStats {
  totalJobs: number;
  success: number;
  failed: number;
  slashed: number;
  slashCount: number;
  currentStakeBlind: string;
  totalEarnedBlind: string;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1 << 20;
/** The service's own upper limit for one page. */
const PAGE = 100;

/** A number or its digits. Nothing else becomes a figure: a null that reads as 0 would be one that we made up. */
const decimal = z.string().regex(/^\d{1,30}(\.\d{1,30})?$/);
const amount = z.union([z.number(), decimal.transform(Number)]).pipe(z.number().nonnegative());
const count = amount.pipe(z.number().int());
const amountText = z.union([decimal, z.number().nonnegative()]).transform(String);
const text = z.string().max(512);

const earningsReply = z.object({ total_blind_earned: amount, jobs_count: count });
const jobsReply = z.object({
  jobs: z.array(
    z.object({
      job_id: text,
      role: text,
      status: text,
      amount_blind_earned: amount.nullish(),
      model_id: text.nullish(),
      completed_at: z.union([text, z.number()]).nullish(),
    }),
  ),
});
const statsReply = z.object({
  total_jobs: count,
  success: count,
  failed: count,
  slashed: count,
  slash_count: count,
  current_stake_blind: amountText,
  total_earned_blind: amountText,
});

export async function fetchEarnings(service: PaymentService, node: string): Promise<Earnings> {
  const reply = await get(service, `/v1/nodes/${node}/earnings`, earningsReply);
  return { totalBlind: reply.total_blind_earned, jobsCount: reply.jobs_count };
}

/** The latest jobs, at most 100, newest first as the service sends them. */
export async function fetchPaidJobs(service: PaymentService, node: string): Promise<PaidJob[]> {
  const reply = await get(service, `/v1/nodes/${node}/jobs?limit=${PAGE}`, jobsReply);
  return reply.jobs.map((job) => ({
    jobId: job.job_id,
    role: job.role,
    status: job.status,
    amountBlind: job.amount_blind_earned ?? null,
    modelId: job.model_id ?? null,
    completedAt: job.completed_at === null || job.completed_at === undefined ? null : String(job.completed_at),
  }));
}

export async function fetchStats(service: PaymentService, node: string): Promise<NodeStats> {
  const reply = await get(service, `/v1/nodes/${node}/stats`, statsReply);
  return {
    totalJobs: reply.total_jobs,
    success: reply.success,
    failed: reply.failed,
    slashed: reply.slashed,
    slashCount: reply.slash_count,
    currentStakeBlind: reply.current_stake_blind,
    totalEarnedBlind: reply.total_earned_blind,
  };
}

async function get<T>(service: PaymentService, path: string, shape: z.ZodType<T>): Promise<T> {
  try {
    const request = new Request(`${service.endpoint}${path}`, { headers: { accept: "application/json" } });
    const reply = await requestText(service.fetch, service.clock, request, {
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    });
    if (reply.status !== 200) throw new Error(`status ${reply.status}`);
    return shape.parse(parseLossless(reply.text));
  } catch (cause) {
    throw new NodeError("payment-unavailable", "the payment service gave no usable answer", {
      retry: "later",
      hint: "Check BLF_PAYMENT_SERVICE_URL. Rewards are not lost: they are recorded by the service.",
      cause,
    });
  }
}
