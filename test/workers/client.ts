/** The Worker under test as its clients call it: an operator with the token, strangers, each from an address of its own. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, inject } from "vitest";
import type { Env } from "../../workers/env.ts";
import worker from "../../workers/index.ts";
import { wire } from "../../workers/wiring.ts";

export const settings = (await (await fetch(`${inject("rigUrl")}/settings`)).json()) as Record<string, string>;
Object.assign(env, settings);
export const deployment = env as unknown as Env;
export const [first = "", second = "", third = ""] = wire(env).configured?.signers.keys() ?? [];

/** The deployment with some bindings replaced; the settings are read anew. */
export const deployedWith = (changes: object): Env => ({ ...env, ...changes }) as unknown as Env;

export interface Init {
  method?: string;
  body?: string | ReadableStream;
  headers?: Record<string, string>;
}
type Handler = { fetch: (request: Request, env: Env, ctx: ExecutionContext) => Response | Promise<Response> };

export async function call(path: string, init: Init = {}, deployed = deployment, handler = worker as Handler) {
  const ctx = createExecutionContext();
  const response = await handler.fetch(new Request(`https://node.test${path}`, init), deployed, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

export const asAdmin = (init: Init = {}): Init => ({
  ...init,
  headers: { authorization: `Bearer ${settings.BLF_ADMIN_TOKEN}`, ...init.headers },
});

/** Each client address has limits of its own. */
export const from = (address: string, init: Init = {}): Init => ({
  ...init,
  headers: { "cf-connecting-ip": address, ...init.headers },
});

/** What every answer carries, also an error's. */
export function expectHardened({ headers }: Response): void {
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("x-frame-options")).toBe("DENY");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
  expect(headers.get("strict-transport-security")).toMatch(/^max-age=\d{7,}/);
  expect(headers.get("cache-control")).toBe("no-store");
  const policy = headers.get("content-security-policy") ?? "";
  for (const closed of ["default-src", "frame-ancestors", "base-uri", "form-action"]) {
    expect(policy).toContain(`${closed} 'none'`);
  }
  expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
}
