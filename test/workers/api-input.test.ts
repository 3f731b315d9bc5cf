import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { describe, expect, it } from "vitest";
import { ensureSchema } from "../../workers/adapters/history.ts";
import { assignments } from "../../workers/adapters/schema.ts";
import { asAdmin, call, deployedWith, first, from, second } from "./client.ts";

describe("what is asked for is checked before it names or finds anything:", () => {
  /** Objects that note who is asked for; the real ones are not reached. Every node says that it knows every job. */
  const watched = (named: string[]) => {
    const getByName = (name: string) => {
      named.push(name);
      return { snapshot: async () => null };
    };
    return deployedWith({ ASSIGNMENT: { getByName }, NODE: { getByName: () => ({ knowsJob: async () => true }) } });
  };

  it.each([
    ["a job id with a line break", "a%0Ab"],
    ["a job id with a NUL", "a%00"],
    ["a job id with a C1 control character", "a%C2%85"],
    ["a job id of 513 characters", "x".repeat(513)],
    ["a job id of 100,000 characters", "x".repeat(100_000)],
  ])("%s is refused", async (_what, id) => {
    const named: string[] = [];
    const answer = await call(`/api/assignments/${id}`, from("10.0.5.1", asAdmin()), watched(named));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringMatching(/^jobId: /) });
    expect(named).toEqual([]);
  });

  it.each([
    ["SQL", "';DROP TABLE assignments;--"],
    ["a path upwards", "../settings"],
    ["a longer path", "../../api/guard"],
    ["markup", "<script>alert(1)</script>"],
    ["other scripts and signs", "работа-仕事-🦊"],
    ["a percent sign", "100%"],
    ["512 characters", "x".repeat(512)],
  ])("a job id that looks like %s is one that nobody has, and part of no name", async (_what, id) => {
    const named: string[] = [];
    const answer = await call(
      `/api/assignments/${encodeURIComponent(id)}`,
      from("10.0.5.1", asAdmin()),
      watched(named),
    );
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ error: "no such assignment" });
    expect(named).toHaveLength(3);
    for (const name of named) expect(name).toMatch(/^0x[0-9a-fA-F]{40}\/[0-9a-f]{64}$/);
  });

  it.each(["..", "%2e%2e", ".", "%2e"])("the segment %s names no job", async (segment) => {
    const named: string[] = [];
    const answer = await call(`/api/assignments/${segment}/`, from("10.0.5.1", asAdmin()), watched(named));
    expect(answer.status).toBe(404);
    expect(named).toEqual([]);
  });

  it("bytes that are no UTF-8 name nobody's job", async () => {
    const answer = await call("/api/assignments/%E0%A4%A", from("10.0.5.1", asAdmin()));
    expect(answer.status).toBe(404);
  });

  it.each([
    ["limit", "limit=0"],
    ["limit", "limit=-1"],
    ["limit", "limit=1000"],
    ["limit", "limit=1e2"],
    ["limit", "limit="],
    ["limit", "limit=0x10"],
    ["cursor", "cursor=yesterday"],
    ["cursor", "cursor=1:job"],
    ["cursor", `cursor=1:${first}:`],
    ["cursor", `cursor=1:${first}:a%0Ab`],
    ["cursor", `cursor=1:${first}:${"x".repeat(513)}`],
    ["status", "status=SETTLED"],
    ["status", "status=a'--"],
    ["status", `status=${"x".repeat(33)}`],
  ])("a query's %s, as in %s", async (field, query) => {
    const answer = await call(`/api/assignments?${query}`, from("10.0.5.2", asAdmin()));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringContaining(field) });
  });

  it.each(["status", "models", "assignments", "assignments/some-job", "earnings", "transactions", "guard"])(
    "a node that is not ours, of /api/%s",
    async (route) => {
      for (const node of [
        "0x12",
        "0x0000000000000000000000000000000000000001",
        "' OR 1=1",
        "x".repeat(5_000),
        "\u0000",
      ]) {
        const path = `/api/${route}?node=${encodeURIComponent(node)}`;
        const answer = await call(path, from("10.0.5.3", asAdmin()));
        expect([node, answer.status]).toEqual([node, 404]);
        expect(await answer.json()).toEqual({ error: expect.stringMatching(/^node: /) });
      }
    },
  );
});

describe("a page of the history", () => {
  const row = (node: string, jobId: string, offeredAt: number) => ({
    node,
    jobId,
    role: "verifier" as const,
    modelId: "mock:demo",
    promptCid: "bafk",
    userAddress: node,
    state: "settled" as const,
    offeredAt,
    deadlineAt: 9,
    version: 1,
    updatedAt: offeredAt,
  });

  it("leads to the next without leaving out or repeating a row, also where one job is several nodes'", async () => {
    await ensureSchema(env.DB);
    const rows = [1, 2].flatMap((at) =>
      ["a:b", "ж z"].flatMap((id) => [first, second].map((node) => row(node, `${id}${at}`, at))),
    );
    await drizzle(env.DB).insert(assignments).values(rows);
    const found: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await call(`/api/assignments?limit=1${query}`, from("10.0.5.4", asAdmin()));
      const page = (await answer.json()) as { assignments: typeof rows; nextCursor: string | null };
      found.push(...page.assignments.map(({ offeredAt, jobId, node }) => `${offeredAt} ${jobId} ${node}`));
      cursor = page.nextCursor;
    }
    expect(found.toSorted()).toEqual(
      rows.map(({ offeredAt, jobId, node }) => `${offeredAt} ${jobId} ${node}`).toSorted(),
    );
  });

  it("is of all nodes where none is named, also by an empty name", async () => {
    const count = async (query: string) => {
      const answer = await call(`/api/assignments?${query}`, from("10.0.5.4", asAdmin()));
      return ((await answer.json()) as { assignments: unknown[] }).assignments.length;
    };
    expect([await count(""), await count("node="), await count(`node=${first}`)]).toEqual([8, 8, 4]);
  });
});
