import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, inject, it } from "vitest";
import type { GuardFile } from "../../core/node/guard-interchange.ts";
import type { Env } from "../../workers/env.ts";
import worker from "../../workers/index.ts";
import { createCounter, RATE_LIMITS } from "../../workers/routes/rate-limit.ts";
import { wire } from "../../workers/wiring.ts";

const settings = (await (await fetch(`${inject("rigUrl")}/settings`)).json()) as Record<string, string>;
Object.assign(env, settings);
const nodes = [...(wire(env).configured?.signers.keys() ?? [])];
const [first = "", second = ""] = nodes;

interface Init {
  method?: string;
  body?: string | ReadableStream;
  headers?: Record<string, string>;
}

async function call(path: string, init: Init = {}, deployed: Env = env as unknown as Env): Promise<Response> {
  const ctx = createExecutionContext();
  const request = new Request<unknown, IncomingRequestCfProperties>(`https://node.test${path}`, init);
  const response = await worker.fetch(request, deployed, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

const authorization = `Bearer ${settings.BLF_ADMIN_TOKEN}`;
const asAdmin = (init: Init = {}): Init => ({ ...init, headers: { authorization, ...init.headers } });
/** Each client address has limits of its own. */
const from = (address: string, init: Init = {}): Init => ({
  ...init,
  headers: { "cf-connecting-ip": address, ...init.headers },
});

const PUBLIC = ["/", "/healthz"];
const ADMIN_GETS = [
  "/api/status",
  "/api/settings",
  "/api/models",
  "/api/assignments",
  "/api/assignments/some-job",
  "/api/earnings",
  "/api/transactions",
  "/api/guard",
];
const ADMIN_POSTS = ["/api/poll", "/api/attest", "/api/pause", "/api/resume", "/api/drain"];

describe("every answer", () => {
  const asked: [string, string, Init][] = [
    ...[...PUBLIC, ...ADMIN_GETS, "/nowhere", "/api/nowhere"].map((path): [string, string, Init] => ["GET", path, {}]),
    ...ADMIN_POSTS.map((path): [string, string, Init] => ["POST", path, { method: "POST" }]),
    ["OPTIONS", "/api/status", { method: "OPTIONS", headers: { origin: "https://evil.test" } }],
    ["GET", "/api/status", asAdmin({ headers: { origin: "https://evil.test" } })],
    ["GET", "/api/assignments?limit=-1", asAdmin()],
  ];
  it.each(asked)("to %s %s carries the security headers and none for other origins", async (_method, path, init) => {
    const { headers } = await call(path, from("10.0.0.1", init));
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("strict-transport-security")).toMatch(/^max-age=\d+/);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(headers.get("cache-control")).toBe("no-store");
    expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });
});

describe("a stranger", () => {
  it.each([...ADMIN_GETS, "/api/nowhere", "/api/assignments/../settings"])(
    "learns nothing from GET %s",
    async (path) => {
      const answer = await call(path, from("10.0.0.2"));
      expect(answer.status).toBe(401);
      expect(await answer.json()).toEqual({ error: expect.stringContaining("Authorization: Bearer") });
    },
  );

  it.each(["GET", "POST", "PUT", "DELETE", "PATCH"])("learns nothing from an unknown route by %s", async (method) => {
    const answer = await call("/internal/secrets", from("10.0.0.3", { method }));
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ error: "not found" });
  });

  it("that guesses tokens is told to wait after twenty failures, and others are not", async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < 30; guess++) {
      const answer = await call(
        "/api/status",
        from("10.0.0.4", { headers: { authorization: `Bearer guess-${guess}` } }),
      );
      statuses.push(answer.status);
      if (answer.status === 429) expect(answer.headers.get("retry-after")).toBe("60");
    }
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    expect((await call("/api/status", from("10.0.0.5", { headers: { authorization: "Bearer other" } }))).status).toBe(
      401,
    );
    expect((await call("/api/status", from("10.0.0.5", asAdmin()))).status).toBe(200);
  });
});

describe("bodies", () => {
  it("beyond 64 KiB are refused, also without a length", async () => {
    const body = "x".repeat(65 * 1024);
    expect((await call("/api/pause", asAdmin({ method: "POST", body }))).status).toBe(413);
    const stream = new Blob([body]).stream();
    expect((await call("/api/pause", asAdmin({ method: "POST", body: stream }))).status).toBe(413);
  });

  it.each(["[]", "not JSON", '{"node":7}', '{"reason":{"a":1}}'])(
    "like %s get an answer that says what is wrong",
    async (body) => {
      const answer = await call("/api/pause", asAdmin({ method: "POST", body }));
      expect(answer.status).toBe(400);
      expect(await answer.json()).toEqual({ error: expect.stringContaining("JSON object") });
    },
  );
});

describe("what is asked for", () => {
  it.each([
    ["a job id with a line break", "/api/assignments/a%0Ab"],
    ["an endless job id", `/api/assignments/${"x".repeat(513)}`],
    ["a page of a thousand", "/api/assignments?limit=1000"],
    ["a cursor that is none", "/api/assignments?cursor=yesterday"],
    ["a state in capitals", "/api/assignments?status=SETTLED'--"],
  ])("is checked: %s", async (_what, path) => {
    expect((await call(path, asAdmin())).status).toBe(400);
  });

  it("may be a job id that looks like SQL: it is one that nobody has", async () => {
    expect((await call("/api/assignments/'%3BDROP%20", asAdmin())).status).toBe(400);
    expect((await call("/api/assignments/';DROP--", asAdmin())).status).toBe(404);
  });

  it.each(["0x12", "0x0000000000000000000000000000000000000001", "' OR 1=1"])(
    "for a node that is not ours: %s",
    async (node) => {
      expect((await call(`/api/status?node=${encodeURIComponent(node)}`, asAdmin())).status).toBe(404);
    },
  );
});

describe("the commit guard's export and import", () => {
  const entry = (jobId: string, commitment: string) => ({
    jobId,
    role: "verifier" as const,
    commitment: commitment.repeat(32),
    outputCid: "bafk",
    at: 1_800_000_000_000,
  });
  const file = (node: string, ...commitments: ReturnType<typeof entry>[]) =>
    JSON.stringify({ metadata: { format: "blindference-commit-guard", version: 1 }, data: [{ node, commitments }] });
  const put = (body: string) => call("/api/guard", asAdmin({ method: "PUT", body }));
  const exported = async (node: string) => {
    const answer = (await (await call(`/api/guard?node=${node}`, asAdmin())).json()) as GuardFile;
    return answer.data.find((one) => one.node === node)?.commitments;
  };

  it("gives back what was recorded, and takes it into another node, any number of times", async () => {
    const source = env.NODE.getByName(first);
    const recorded = { jobId: "moved", role: "leader", commitment: "ab".repeat(32), outputCid: "bafk" };
    await source.recordCommitment(recorded);
    const [only, ...more] = (await exported(first)) ?? [];
    expect(more).toEqual([]);
    expect(only).toMatchObject(recorded);
    const moved = JSON.stringify({
      metadata: { format: "blindference-commit-guard", version: 1 },
      data: [{ node: second, commitments: [only] }],
    });
    expect(await (await put(moved)).json()).toEqual({
      nodes: [{ node: second, imported: 1, known: 0, conflicts: [] }],
    });
    expect(await (await put(moved)).json()).toEqual({
      nodes: [{ node: second, imported: 0, known: 1, conflicts: [] }],
    });
    expect(await exported(second)).toEqual([only]);
    const target = env.NODE.getByName(second);
    expect(await target.recordCommitment(recorded)).toMatchObject({ ok: true });
    expect(await target.recordCommitment({ ...recorded, commitment: "cd".repeat(32) })).toMatchObject({ ok: false });
  });

  it("never loosens: two commitments for one job leave it with neither", async () => {
    const node = env.NODE.getByName(first);
    await node.recordCommitment({
      jobId: "disputed",
      role: "verifier",
      commitment: "ab".repeat(32),
      outputCid: "bafk",
    });
    const answer = await put(file(first, entry("disputed", "cd"), entry("fresh", "ef")));
    expect(answer.status).toBe(409);
    expect(await answer.json()).toEqual({ nodes: [{ node: first, imported: 1, known: 0, conflicts: ["disputed"] }] });
    for (const commitment of ["ab", "cd"]) {
      const again = { jobId: "disputed", role: "verifier", commitment: commitment.repeat(32), outputCid: "bafk" };
      expect(await node.recordCommitment(again)).toMatchObject({ ok: false });
    }
    expect((await exported(first))?.find(({ jobId }) => jobId === "disputed")?.commitment).toBe("ab".repeat(32));
  });

  it("takes nothing of a file that is for other nodes as well", async () => {
    const stranger = "0x0000000000000000000000000000000000000001";
    const mixed = JSON.stringify({
      metadata: { format: "blindference-commit-guard", version: 1 },
      data: [
        { node: first, commitments: [entry("half", "ab")] },
        { node: stranger, commitments: [] },
      ],
    });
    const answer = await put(mixed);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringContaining(stranger) });
    expect((await exported(first))?.some(({ jobId }) => jobId === "half")).toBe(false);
  });

  it("takes a file of some megabytes, and refuses one of more than eight", async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => entry(`job-${index}`, "ab"));
    expect((await put(file(second, ...many))).status).toBe(200);
    expect((await put(" ".repeat(8 * 1024 * 1024 + 1))).status).toBe(413);
  });

  it.each(["", "[]", "not JSON", '{"metadata":{}}'])("refuses %j", async (body) => {
    expect((await put(body)).status).toBe(400);
  });
});

describe("the isolate's own counter", () => {
  it("allows so many uses a client and window, and forgets with the next", async () => {
    let nowMs = 0;
    const counter = createCounter({ limit: 2, period: 60 }, () => nowMs);
    const use = async (key: string) => (await counter.limit({ key })).success;
    expect([await use("a"), await use("a"), await use("a"), await use("b")]).toEqual([true, true, false, true]);
    nowMs = 60_000;
    expect(await use("a")).toBe(true);
  });

  it("has the limits that are documented", () => {
    expect(RATE_LIMITS).toEqual({
      REQUEST_LIMIT: { limit: 1000, period: 60 },
      SIGN_IN_LIMIT: { limit: 20, period: 60 },
    });
  });
});
