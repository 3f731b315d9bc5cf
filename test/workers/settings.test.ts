import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../workers/env.ts";
import worker from "../../workers/index.ts";

const ADMIN = "an-admin-token-of-the-test";

/** The Worker as deployed with these settings instead of the test's own. */
function deployedWith(settings: Record<string, string>): Env {
  const bindings = Object.entries(env).filter(([, value]) => typeof value !== "string");
  return { ...Object.fromEntries(bindings), ...settings } as unknown as Env;
}

async function call(
  deployed: Env,
  path: string,
  init: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  const ctx = createExecutionContext();
  const request = new Request<unknown, IncomingRequestCfProperties>(`https://node.test${path}`, init);
  const response = await worker.fetch(request, deployed, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

const admin = { headers: { authorization: `Bearer ${ADMIN}` } };

afterEach(() => vi.restoreAllMocks());

describe("a Worker with bad settings", () => {
  const bad = deployedWith({
    BLF_PRIVATE_KEY: "not a key",
    BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/demo",
    BLF_ADMIN_TOKEN: ADMIN,
  });

  it("starts, and /healthz names every fault by its code", async () => {
    const response = await call(bad, "/healthz");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: "misconfigured",
      codes: expect.arrayContaining([
        { setting: "BLF_PRIVATE_KEY", code: "malformed" },
        { setting: "BLF_RPC_URL", code: "placeholder" },
        { setting: "BLF_MODELS", code: "no-model" },
        { setting: "PINATA_JWT", code: "missing" },
      ]),
    });
  });

  it("tells the operator each fault's fix, and no value", async () => {
    const report = await (await call(bad, "/api/settings", admin)).text();
    expect(JSON.parse(report)).toMatchObject({ ok: false });
    expect(report).toContain("dashboard.alchemy.com");
    expect(report).not.toContain("not a key");
    expect(report).not.toContain(ADMIN);
  });

  it("claims nothing: its cron touches no object and calls nobody", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const named = vi.fn();
    const watched = { ...bad, NODE: { getByName: named } } as unknown as Env;
    await worker.scheduled(createScheduledController(), watched);
    expect(named).not.toHaveBeenCalled();
    expect(fetched).not.toHaveBeenCalled();
  });

  it("says so on the front page", async () => {
    expect(await (await call(bad, "/")).text()).toContain("Not configured: nothing is claimed");
  });

  it("answers an operator's command with a way out instead of doing it", async () => {
    const response = await call(bad, "/api/poll", { ...admin, method: "POST" });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining("/api/settings") });
  });
});

describe("the API's door", () => {
  const open = deployedWith({ BLF_ADMIN_TOKEN: ADMIN });

  it.each([
    ["no header", undefined],
    ["another token", "Bearer something-else-entirely"],
    ["the token without the scheme", ADMIN],
    ["an empty token", "Bearer "],
    ["the token with something behind it", `Bearer ${ADMIN}x`],
  ])("refuses %s", async (_name, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const response = await call(open, "/api/status", { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
  });

  it("opens to the token", async () => {
    expect((await call(open, "/api/status", admin)).status).toBe(200);
  });

  it("is closed for good where no token is set", async () => {
    const response = await call(deployedWith({}), "/api/status", { headers: { authorization: "Bearer " } });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining("BLF_ADMIN_TOKEN") });
  });

  it.each(["/nothing", "/internal/other", "/api2"])("tells a stranger nothing about %s", async (path) => {
    const response = await call(open, path);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: "not found" });
  });

  it("sends security headers and no CORS", async () => {
    const { headers } = await call(open, "/healthz");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("access-control-allow-origin")).toBeNull();
  });

  it("refuses a body that is too large", async () => {
    const body = "x".repeat(70_000);
    const response = await call(open, "/api/pause", { ...admin, method: "POST", body });
    expect(response.status).toBe(413);
  });

  it.each([
    ["limit=0", "limit"],
    ["limit=1000", "limit"],
    ["cursor=nonsense", "cursor"],
    ["status=DROP%20TABLE", "status"],
  ])("names the field of a bad query: %s", async (query, field) => {
    const response = await call(open, `/api/assignments?${query}`, admin);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining(field) });
  });
});
