/**
 * Every endpoint of the sidecar, once: the Worker's client, the sidecar's routes and the OpenAPI document are made from
 * this table. A path's parameters are percent-encoded, because a job id may hold any character.
 */
import * as z from "zod";
import { PROTOCOL_VERSION } from "./protocol.ts";
import { signReplyShape, signRequestShape } from "./sign-wire.ts";
import {
  attestBody,
  attestReply,
  cancelReply,
  capabilitiesReply,
  executeBody,
  executionId,
  healthReply,
  outputKeyBody,
  outputKeyReply,
  pollReply,
  startReply,
} from "./wire.ts";

export interface Endpoint {
  method: "GET" | "POST" | "DELETE";
  /** With `{name}` for each parameter. */
  path: string;
  summary: string;
  /** The parameters in the path. */
  params?: z.ZodObject;
  /** JSON; absent where there is none. */
  body?: z.ZodType;
  reply: z.ZodType;
  /** Statuses of success, each with when. */
  statuses: Readonly<Record<number, string>>;
  /** True for what anybody may ask. */
  isPublic?: true;
  /** Text instead of JSON. */
  isText?: true;
  /** The most bytes of a request, and of a reply. */
  maxBody: number;
  maxReply: number;
  /** What the Worker waits for it. */
  timeoutMs: number;
}

const KIB = 1_024;
const MIB = 1_024 * KIB;
const base = `/v${PROTOCOL_VERSION}`;
/** Answered from memory or from one row. */
const QUICK = { maxBody: 0, maxReply: 64 * KIB, timeoutMs: 10_000 };
const EXECUTION = "/executions/{node}/{jobId}/{role}";

export const ENDPOINTS = {
  healthz: {
    method: "GET",
    path: `${base}/healthz`,
    summary: "Whether the sidecar is up. Says nothing else, to anybody.",
    reply: healthReply,
    statuses: { 200: "It is up." },
    isPublic: true,
    ...QUICK,
  },
  capabilities: {
    method: "GET",
    path: `${base}/capabilities`,
    summary: "What the sidecar can do, and how much of it now.",
    reply: capabilitiesReply,
    statuses: { 200: "As of now." },
    ...QUICK,
    maxReply: 512 * KIB,
  },
  startExecution: {
    method: "POST",
    path: `${base}/executions`,
    summary:
      "Starts a job's confidential part, or tells how far it is: a repeated start with the same node, job and role never runs the model again.",
    body: executeBody,
    reply: startReply,
    statuses: { 200: "It is done, or has failed.", 202: "It is under way: poll." },
    maxBody: 16 * KIB,
    maxReply: 2 * MIB,
    timeoutMs: 15_000,
  },
  pollExecution: {
    method: "GET",
    path: `${base}${EXECUTION}`,
    summary: "How far an execution is.",
    params: executionId,
    reply: pollReply,
    statuses: { 200: "Its state." },
    ...QUICK,
    maxReply: 2 * MIB,
  },
  cancelExecution: {
    method: "DELETE",
    path: `${base}${EXECUTION}`,
    summary: "Stops an execution that is queued or running.",
    params: executionId,
    reply: cancelReply,
    statuses: { 200: "Whether there was one." },
    ...QUICK,
  },
  outputKey: {
    method: "POST",
    path: `${base}/output-keys`,
    summary: "A leader's output key: wrapped for storage, and encrypted for the chain once it is proven.",
    body: outputKeyBody,
    reply: outputKeyReply,
    statuses: { 200: "It is proven.", 202: "The proof is being made: ask again, with the key." },
    maxBody: 4 * KIB,
    maxReply: 64 * KIB,
    timeoutMs: 15_000,
  },
  attest: {
    method: "POST",
    path: `${base}/attest`,
    summary: "Quotes the coordinator's challenge.",
    body: attestBody,
    reply: attestReply,
    statuses: { 200: "The quote." },
    maxBody: 512 * KIB,
    maxReply: 4 * MIB,
    timeoutMs: 60_000,
  },
  sign: {
    method: "POST",
    path: `${base}/sign`,
    summary: "Signatures of the node's key, under the sidecar's policies.",
    body: signRequestShape,
    reply: signReplyShape,
    statuses: { 200: "The signatures." },
    maxBody: 3 * MIB,
    maxReply: 512 * KIB,
    timeoutMs: 15_000,
  },
  metrics: {
    method: "GET",
    path: `${base}/metrics`,
    summary: "The sidecar's metrics in Prometheus' text format.",
    reply: z.string(),
    statuses: { 200: "As of now." },
    isText: true,
    ...QUICK,
    maxReply: MIB,
  },
} as const satisfies Readonly<Record<string, Endpoint>>;

export type EndpointName = keyof typeof ENDPOINTS;

/** The path with its parameters filled in. */
export function pathOf(endpoint: Pick<Endpoint, "path">, params: Readonly<Record<string, string>> = {}): string {
  return endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ""));
}
