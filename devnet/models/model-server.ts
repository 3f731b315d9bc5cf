/**
 * What the devnet's model servers have in common: answered and refused requests are counted, faults can be armed, and
 * every answer takes as long as it is told to. No prompt is kept.
 */
import { Hono } from "hono";
import { type Clock, systemClock } from "../../core/ports.ts";
import { installFaults } from "../faults.ts";

export interface ModelServerOptions {
  /** The models it has, by their names without a prefix. */
  models: readonly string[];
  /** How long an answer takes; 0 by default. */
  latencyMs?: number;
  clock?: Clock;
}

export interface RequestCounts {
  /** All that reached a model's route. */
  total: number;
  answered: number;
  refused: number;
  /** Answered, by model. */
  byModel: Record<string, number>;
  /** Why requests were refused, by status. */
  byStatus: Record<string, number>;
}

export interface ModelServer {
  app: Hono;
  /** `GET /devnet/requests`. */
  requests(): RequestCounts;
}

/** A refusal in the provider's own shape. */
export interface ModelRefusal {
  status: number;
  body: unknown;
}

export type ModelReply = { model: string; body: unknown } | ModelRefusal;

export interface ModelShell extends ModelServer {
  /** Counts a reply, waits the latency where it is an answer, and makes a response of it. */
  respond(reply: ModelReply): Promise<Response>;
  clock: Clock;
}

export function createModelShell(options: ModelServerOptions): ModelShell {
  const { latencyMs = 0, clock = systemClock } = options;
  const counts: RequestCounts = { total: 0, answered: 0, refused: 0, byModel: {}, byStatus: {} };
  const app = new Hono();
  installFaults(app, clock);
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/devnet/requests", (c) => c.json(counts));
  return {
    app,
    clock,
    requests: () => structuredClone(counts),
    async respond(reply) {
      counts.total += 1;
      if ("status" in reply) {
        counts.refused += 1;
        counts.byStatus[reply.status] = (counts.byStatus[reply.status] ?? 0) + 1;
        return Response.json(reply.body, { status: reply.status });
      }
      if (latencyMs > 0) await clock.sleep(latencyMs);
      counts.answered += 1;
      counts.byModel[reply.model] = (counts.byModel[reply.model] ?? 0) + 1;
      return Response.json(reply.body);
    },
  };
}

/** The bearer token, or an empty text. */
export function bearerOf(headers: Headers): string {
  return /^Bearer (\S+)$/.exec(headers.get("authorization") ?? "")?.[1] ?? "";
}

/** The request's JSON, or undefined when it is none. */
export async function jsonOf(request: Request): Promise<unknown> {
  if (!/^application\/json(;|$)/i.test(request.headers.get("content-type") ?? "")) return undefined;
  try {
    return JSON.parse(await request.text()) as unknown;
  } catch {
    return undefined;
  }
}
