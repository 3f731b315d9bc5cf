/**
 * The chain's RPC as the nodes see it: the same bytes as anvil's, through a service that misbehaves on command. A fault's
 * path is `/METHOD`, and for `eth_call` and `eth_estimateGas` `/METHOD/0xTARGET` with the contract in lower case. A
 * batch is matched by its first call. It understands nothing beyond that and changes no byte.
 */
import { Hono } from "hono";
import * as z from "zod";
import { type Clock, type Fetch, systemClock } from "../../core/ports.ts";
import { type Faults, installFaults } from "../faults.ts";

export interface RpcProxy {
  app: { fetch(request: Request): Response | Promise<Response> };
  faults: Faults;
}

const call = z.object({
  method: z.string().regex(/^\w{1,64}$/),
  params: z.array(z.unknown()).optional(),
});
const target = z.object({ to: z.string().regex(/^0x[0-9a-fA-F]{40}$/) });

export function createRpcProxy(options: { rpcUrl: string; fetch?: Fetch; clock?: Clock }): RpcProxy {
  const { rpcUrl, fetch = globalThis.fetch, clock = systemClock } = options;
  const inner = new Hono();
  const faults = installFaults(inner, clock);
  inner.post("*", async (c) => {
    const reply = await fetch(rpcUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: await c.req.arrayBuffer(),
      signal: c.req.raw.signal,
    });
    return new Response(await reply.arrayBuffer(), {
      status: reply.status,
      headers: { "content-type": "application/json" },
    });
  });
  return { app: { fetch: (request) => forward(inner, request) }, faults };
}

/** Gives the request the path that its call stands for. */
async function forward(inner: Hono, request: Request): Promise<Response> {
  const url = new URL(request.url);
  if (request.method !== "POST" || url.pathname.startsWith("/devnet/")) return inner.fetch(request);
  const body = await request.arrayBuffer();
  url.pathname = pathOf(new TextDecoder().decode(body));
  return inner.fetch(new Request(url, { method: "POST", headers: request.headers, body, signal: request.signal }));
}

function pathOf(text: string): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "/";
  }
  const first = call.safeParse(Array.isArray(json) ? json[0] : json);
  if (!first.success) return "/";
  const { method, params = [] } = first.data;
  const to = target.safeParse(params[0]);
  return to.success ? `/${method}/${to.data.to.toLowerCase()}` : `/${method}`;
}
