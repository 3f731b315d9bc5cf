import { afterEach, describe, expect, it, vi } from "vitest";
import { asAdmin, call, deployedWith, expectHardened, from, settings } from "./client.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const ROUTES: [path: string, ...methods: string[]][] = [
  ["/", "GET", "HEAD"],
  ["/healthz", "GET", "HEAD"],
  ["/internal/task", "POST"],
  ["/api/status", "GET", "HEAD"],
  ["/api/settings", "GET", "HEAD"],
  ["/api/models", "GET", "HEAD"],
  ["/api/assignments", "GET", "HEAD"],
  ["/api/assignments/some-job", "GET", "HEAD"],
  ["/api/earnings", "GET", "HEAD"],
  ["/api/transactions", "GET", "HEAD", "POST"],
  ["/api/guard", "GET", "HEAD", "PUT"],
  ["/api/poll", "POST"],
  ["/api/attest", "POST"],
  ["/api/pause", "POST"],
  ["/api/resume", "POST"],
  ["/api/drain", "POST"],
];
const ADMIN_ROUTES = ROUTES.filter(([path]) => path.startsWith("/api/"));
const PUBLIC_ROUTES = ROUTES.filter(([path]) => !path.startsWith("/api/"));
/** Paths that lead nowhere, however they are spelled. */
const NOWHERE = [
  "/nothing",
  "/internal",
  "/internal/other",
  "/api2",
  "/API/status",
  "/api%2Fstatus",
  "//api/status",
  "/.env",
];
/** Spellings of a path under /api, real or not. */
const UNDER_API = [
  "/api",
  "/api/",
  "/api/nothing",
  "/api/%73tatus",
  "/api//status",
  "/api/status/",
  "/api/assignments/a/b",
];

afterEach(() => vi.restoreAllMocks());

/** Everything of an answer that a stranger sees, but for its moment. */
async function seen(response: Response): Promise<string> {
  const headers = [...response.headers].filter(([name]) => name !== "date");
  return JSON.stringify({ status: response.status, headers, body: await response.text() });
}

describe("every route, by every method,", () => {
  it.each(ADMIN_ROUTES)("%s tells a stranger what a route that does not exist tells", async (path) => {
    for (const method of METHODS) {
      const unknown = await call("/api/nothing", from("10.0.1.1", { method }));
      expect(unknown.status).toBe(401);
      expectHardened(unknown);
      expect(await seen(await call(path, from("10.0.1.1", { method })))).toBe(await seen(unknown));
    }
  });

  it.each(ADMIN_ROUTES)("%s is closed where no token is set, and says what to set", async (path) => {
    const closed = deployedWith({ BLF_ADMIN_TOKEN: undefined });
    for (const method of METHODS.filter((one) => one !== "HEAD")) {
      const answer = await call(
        path,
        from("10.0.1.2", { method, headers: { authorization: "Bearer undefined" } }),
        closed,
      );
      expect(answer.status).toBe(403);
      expectHardened(answer);
      expect(await answer.json()).toEqual({ error: expect.stringContaining("BLF_ADMIN_TOKEN") });
    }
  });

  it.each(ROUTES)("%s takes no other than its own", async (path, ...methods) => {
    for (const method of METHODS.filter((one) => !methods.includes(one))) {
      const answer = await call(path, from("10.0.1.3", asAdmin({ method })));
      expect([method, answer.status]).toEqual([method, 404]);
      expectHardened(answer);
      if (method !== "HEAD") expect(await answer.json()).toEqual({ error: "not found" });
    }
  });

  it.each(ROUTES)("%s is there by its own", async (path, ...methods) => {
    for (const method of methods) {
      const answer = await call(path, from("10.0.1.4", asAdmin({ method, headers: { origin: "https://other.test" } })));
      expect([method, path.endsWith("some-job") || answer.status !== 404]).toEqual([method, true]);
      expectHardened(answer);
    }
  });

  it.each(NOWHERE)("%s is not found, with and without the token", async (path) => {
    for (const method of METHODS) {
      const answers = [
        await call(path, from("10.0.1.5", { method })),
        await call(path, from("10.0.1.5", asAdmin({ method }))),
      ];
      for (const answer of answers) {
        expect(answer.status).toBe(404);
        expectHardened(answer);
      }
    }
  });

  it.each(UNDER_API)("%s stands behind the token", async (path) => {
    for (const method of METHODS) {
      expect((await call(path, from("10.0.1.6", { method }))).status).toBe(401);
    }
  });
});

describe("a preflight of another origin", () => {
  it.each(ROUTES)("gets no permission for %s", async (path) => {
    const headers = { origin: "https://other.test", "access-control-request-method": "POST" };
    for (const init of [{ method: "OPTIONS", headers }, asAdmin({ method: "OPTIONS", headers })]) {
      const answer = await call(path, from("10.0.1.7", init));
      expect(answer.ok).toBe(false);
      expectHardened(answer);
    }
  });
});

describe("the token", () => {
  const token = settings.BLF_ADMIN_TOKEN ?? "";
  it.each([
    ["a prefix", token.slice(0, -1)],
    ["more than it", `${token}x`],
    ["another case", token.toUpperCase()],
    ["a space behind", `${token} .`],
    ["ten thousand characters", "x".repeat(10_000)],
    ["the digest's worth of zeros", "0".repeat(64)],
  ])("is compared as a whole and in constant time: %s", async (_what, given) => {
    const compared = vi.spyOn(crypto.subtle, "timingSafeEqual");
    const answer = await call("/api/status", from("10.0.2.1", { headers: { authorization: `Bearer ${given}` } }));
    expect(answer.status).toBe(401);
    // Digests: of one length whatever was sent.
    expect(compared.mock.calls.map((pair) => pair.map(({ byteLength }) => byteLength))).toEqual([[32, 32]]);
  });

  it("opens nothing in a query or a cookie", async () => {
    expect((await call(`/api/status?token=${token}&authorization=${token}`, from("10.0.2.2"))).status).toBe(401);
    expect((await call("/api/status", from("10.0.2.2", { headers: { cookie: `token=${token}` } }))).status).toBe(401);
  });
});

describe("an error inside", () => {
  const PRIVATE = "a prompt that a foreign error quotes";
  const failing = () => {
    throw new TypeError(PRIVATE);
  };

  it("tells a stranger nothing but that there was one", async () => {
    const deployed = deployedWith({ NODE: { getByName: failing } });
    const answer = await call("/internal/task", from("10.0.6.1", { method: "POST" }), deployed);
    expect(answer.status).toBe(500);
    expectHardened(answer);
    expect(await answer.json()).toEqual({ error: "internal error" });
  });

  it("tells a stranger nothing under /api either", async () => {
    vi.spyOn(crypto.subtle, "timingSafeEqual").mockImplementation(failing);
    const answer = await call("/api/status", from("10.0.6.2", asAdmin()));
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual({ error: "internal error" });
  });

  it("tells the operator a code, what happened and what to do, and quotes no foreign text; nor does the log", async () => {
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
    const deployed = deployedWith({ NODE: { getByName: failing } });
    const answer = await call("/api/status", from("10.0.6.3", asAdmin()), deployed);
    expect(answer.status).toBe(500);
    expectHardened(answer);
    const text = await answer.text();
    expect(JSON.parse(text)).toEqual({
      error: { code: "internal", message: "an unexpected TypeError occurred", hint: expect.any(String) },
    });
    expect(printed.join("\n")).toContain("http.failed");
    expect(text + printed.join("\n")).not.toContain(PRIVATE);
  });

  it.each(["/api/assignments", "/api/transactions"])("of D1 is told as such at %s", async (path) => {
    const deployed = deployedWith({ DB: { prepare: failing, batch: failing } });
    const answer = await call(path, from("10.0.6.4", asAdmin()), deployed);
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: "history-unavailable", hint: expect.any(String) } });
    expect(text).not.toContain(PRIVATE);
  });

  it("of D1 does not hide a job's live state", async () => {
    const deployed = deployedWith({
      DB: { prepare: failing, batch: failing },
      NODE: { getByName: () => ({ knowsJob: async () => true }) },
      ASSIGNMENT: { getByName: () => ({ snapshot: async () => ({ state: "claimed" }) }) },
    });
    const answer = await call("/api/assignments/live", from("10.0.6.5", asAdmin()), deployed);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ jobs: [{ state: "claimed" }, {}, {}], timeline: null });
  });
});

describe("public answers", () => {
  it.each(PUBLIC_ROUTES)("of %s carry no setting's value", async (path, ...methods) => {
    const answer = await call(path, from("10.0.7.1", { method: methods[0] ?? "" }));
    const text = await answer.text();
    const values = Object.entries(settings).filter(([name]) => /KEY|TOKEN|JWT|URL|ENDPOINT/.test(name));
    expect(values.length).toBeGreaterThan(3);
    for (const [name, value] of values) expect([name, text.includes(value)]).toEqual([name, false]);
  });
});
