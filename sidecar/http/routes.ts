/**
 * One handler an endpoint: decode, ask the service, encode. Refuses a request whose headers name another node or job
 * than its path or body does, because the headers are what proxies, logs and limits go by. Stands behind `authenticate`.
 */
import { type Context, Hono } from "hono";
import type * as z from "zod";
import { faultyFields } from "../../core/icl/faulty-fields.ts";
import { ENDPOINTS, type Endpoint } from "../../core/sidecar/endpoints.ts";
import { refusalToWire } from "../../core/sidecar/failure-wire.ts";
import { ABSENT } from "../../core/sidecar/protocol.ts";
import { signReplyShape, signRequestShape } from "../../core/sidecar/sign-wire.ts";
import {
  attestBody,
  attestReply,
  cancelReply,
  capabilitiesReply,
  executeBody,
  executionId,
  outputKeyBody,
  outputKeyReply,
  pollReply,
  startReply,
} from "../../core/sidecar/wire.ts";
import { type Authenticated, answer, type SidecarEnv } from "./authenticate.ts";
import type { SidecarService } from "./service.ts";

type Ctx = Context<SidecarEnv>;

export function sidecarRoutes(service: SidecarService): Hono<SidecarEnv> {
  const app = new Hono<SidecarEnv>();
  const E = ENDPOINTS;

  on(app, E.capabilities, async (c) => send(c, capabilitiesReply, await service.capabilities()));

  on(app, E.startExecution, (c) =>
    withBody(c, executeBody, async (request) => {
      const state = await service.startExecution(request, authenticated(c).attempt);
      return send(c, startReply, state, state.state === "running" ? 202 : 200);
    }),
  );

  on(app, E.pollExecution, (c) =>
    withInput(c, executionId, c.req.param(), async (id) => send(c, pollReply, await service.pollExecution(id))),
  );

  on(app, E.cancelExecution, (c) =>
    withInput(c, executionId, c.req.param(), async (id) =>
      send(c, cancelReply, { cancelled: await service.cancelExecution(id) }),
    ),
  );

  on(app, E.outputKey, (c) =>
    withBody(c, outputKeyBody, async (request) => {
      const state = await service.outputKey(request);
      return send(c, outputKeyReply, state, state.state === "proving" ? 202 : 200);
    }),
  );

  on(app, E.attest, (c) =>
    withBody(c, attestBody, async (request) => send(c, attestReply, await service.attest(request))),
  );

  on(app, E.sign, (c) =>
    withBody(c, signRequestShape, async (request) => send(c, signReplyShape, await service.sign(request))),
  );

  on(app, E.metrics, async (c) => c.text(await service.metrics()));
  return app;
}

function on(app: Hono<SidecarEnv>, { method, path }: Endpoint, handler: (c: Ctx) => Promise<Response>): void {
  app.on(method, path.replace(/\{(\w+)\}/g, ":$1"), handler);
}

function withBody<T extends object>(c: Ctx, shape: z.ZodType<T>, work: (value: T) => Promise<Response>) {
  return withInput(c, shape, parseJson(authenticated(c).body), work);
}

async function withInput<T extends object>(
  c: Ctx,
  shape: z.ZodType<T>,
  input: unknown,
  work: (value: T) => Promise<Response>,
): Promise<Response> {
  const parsed = shape.safeParse(input);
  if (!parsed.success) return answer(refusalToWire("malformed", faultyFields(parsed.error)));
  return isAbout(authenticated(c), parsed.data) ? work(parsed.data) : answer(refusalToWire("mismatch"));
}

function isAbout({ node, job }: Authenticated, value: object): boolean {
  const expectedNode = "node" in value && typeof value.node === "string" ? value.node : ABSENT;
  const expectedJob = "jobId" in value && typeof value.jobId === "string" ? encodeURIComponent(value.jobId) : ABSENT;
  return node === expectedNode && job === expectedJob;
}

function send<T>(c: Ctx, shape: z.ZodType<T>, value: T, status: 200 | 202 = 200): Response {
  return c.json(shape.encode(value), status);
}

function authenticated(c: Ctx): Authenticated {
  const found = c.get("authenticated");
  if (found === undefined) throw new Error("a route stands before the authentication");
  return found;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
