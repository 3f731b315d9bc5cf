/**
 * The Worker's side of the sidecar: one method an endpoint. Every call is one attempt and safe to repeat, so that an
 * evicted object simply asks again. Errors are NodeErrors: the executor's own as the sidecar had them, `sidecar-*` for the
 * way there. Invariant: an answer is believed only with the sidecar's signature over it and over this very request.
 */
import type * as z from "zod";
import type { ExecuteRequest } from "../executor/executor.ts";
import { faultyFields } from "../icl/faulty-fields.ts";
import { ENDPOINTS, type Endpoint, type EndpointName, pathOf } from "./endpoints.ts";
import { createExchange, parseJson, type SidecarOptions } from "./exchange.ts";
import type { About } from "./request-signature.ts";
import type { SignReply, SignRequest } from "./sign-wire.ts";
import { signReplyShape, signRequestShape } from "./sign-wire.ts";
import { malformedAnswer } from "./unbelievable.ts";
import {
  type AttestReply,
  type AttestRequest,
  attestBody,
  attestReply,
  type Capabilities,
  cancelReply,
  capabilitiesReply,
  type ExecutionId,
  type ExecutionState,
  executeBody,
  type OutputKeyRequest,
  type OutputKeyState,
  outputKeyBody,
  outputKeyReply,
  pollReply,
  type StartedExecution,
  startReply,
} from "./wire.ts";

export type { SidecarOptions };

export interface SidecarClient {
  capabilities(signal?: AbortSignal): Promise<Capabilities>;
  /** Starts, or tells how far it is. `sidecar-busy` with a time to wait when the queue is full. */
  startExecution(request: ExecuteRequest, attempt?: number, signal?: AbortSignal): Promise<StartedExecution>;
  pollExecution(id: ExecutionId, signal?: AbortSignal): Promise<ExecutionState>;
  /** False where nothing was running. */
  cancelExecution(id: ExecutionId, signal?: AbortSignal): Promise<boolean>;
  outputKey(request: OutputKeyRequest, signal?: AbortSignal): Promise<OutputKeyState>;
  attest(request: AttestRequest, signal?: AbortSignal): Promise<AttestReply>;
  sign(request: SignRequest, signal?: AbortSignal): Promise<SignReply>;
  /** Prometheus' text format. */
  metrics(signal?: AbortSignal): Promise<string>;
  /** The sidecar's clock less ours in ms; null before its first answer. */
  clockSkewMs(): number | null;
}

/** Throws NodeError `settings` for a URL with a path. */
export function createSidecarClient(options: SidecarOptions): SidecarClient {
  const exchange = createExchange(options);
  const host = new URL(options.url).host;

  const bytes = (name: EndpointName, about: About, body: unknown, signal?: AbortSignal, params?: ExecutionId) => {
    const endpoint: Endpoint = ENDPOINTS[name];
    const text = body === undefined ? "" : JSON.stringify(body);
    return exchange.send({ name, endpoint, path: pathOf(endpoint, params), text, about }, signal);
  };

  const read = <T>(name: EndpointName, reply: z.ZodType<T>, content: Uint8Array): T => {
    const parsed = reply.safeParse(parseJson(content));
    if (parsed.success) return parsed.data;
    throw malformedAnswer(faultyFields(parsed.error), { name, method: ENDPOINTS[name].method, host });
  };

  return {
    clockSkewMs: exchange.clockSkewMs,
    async capabilities(signal) {
      return read("capabilities", capabilitiesReply, await bytes("capabilities", {}, undefined, signal));
    },
    async startExecution(request, attempt, signal) {
      const about = { ...aboutOf(request), ...(attempt === undefined ? {} : { attempt }) };
      return read(
        "startExecution",
        startReply,
        await bytes("startExecution", about, executeBody.encode(request), signal),
      );
    },
    async pollExecution(id, signal) {
      return read("pollExecution", pollReply, await bytes("pollExecution", aboutOf(id), undefined, signal, id));
    },
    async cancelExecution(id, signal) {
      const content = await bytes("cancelExecution", aboutOf(id), undefined, signal, id);
      return read("cancelExecution", cancelReply, content).cancelled;
    },
    async outputKey(request, signal) {
      const body = outputKeyBody.encode(request);
      return read("outputKey", outputKeyReply, await bytes("outputKey", aboutOf(request), body, signal));
    },
    async attest(request, signal) {
      const about = { node: request.node };
      return read("attest", attestReply, await bytes("attest", about, attestBody.encode(request), signal));
    },
    async sign(request, signal) {
      const about = { node: request.node };
      return read("sign", signReplyShape, await bytes("sign", about, signRequestShape.encode(request), signal));
    },
    async metrics(signal) {
      return new TextDecoder().decode(await bytes("metrics", {}, undefined, signal));
    },
  };
}

function aboutOf({ node, jobId }: { node: string; jobId: string }): About {
  return { node, jobId };
}
