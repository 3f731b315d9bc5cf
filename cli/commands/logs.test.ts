import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeNode, NODE, startFakeNode } from "../fake-node.ts";
import { inProcess } from "../in-process.ts";

let node: FakeNode;
beforeEach(async () => {
  node = await startFakeNode();
});
afterEach(() => node.close());

const event = (type: string, change: Record<string, unknown> = {}) => ({
  id: type,
  node: NODE,
  jobId: null,
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
  level: "info",
  type,
  fields: {},
  ...change,
});

it("prints a line an event: time, level, what, whose, and the fields that say more", async () => {
  const failed = event("job.failed", {
    level: "warn",
    jobId: "0xjob",
    fields: { jobId: "0xjob", node: NODE, code: "deadline", ms: 5, none: null, list: [1] },
  });
  node.answer("GET /api/events", { body: { events: [event("node.paused"), failed], next: "2" } });
  const { code, stdout } = await inProcess(["logs", "--level", "info", "--job", "0xjob", "-n", "7"], node.env);
  expect(code).toBe(0);
  expect(stdout).toBe(
    `2026-01-02 03:04:05 info  node.paused ${NODE}\n` +
      "2026-01-02 03:04:05 warn  job.failed 0xjob code=deadline ms=5 list=[1]\n",
  );
  expect(node.asked[0]?.query).toEqual({ level: "info", job: "0xjob", limit: "7" });
});

it("prints a JSON object a line with --json, as the node said it", async () => {
  const events = [event("a"), { at: 1, type: "b" }];
  node.answer("GET /api/events", { body: { events } });
  const { stdout } = await inProcess(["logs", "--json"], node.env);
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(events);
});

it("goes on from where it was with --follow, through a restart of the node, and ends at an answer that is a refusal", async () => {
  node.answer(
    "GET /api/events",
    { body: { events: [event("first")], next: "7" } },
    { status: 503, body: "not JSON" },
    { body: { events: [event("second")], next: "8" } },
    { status: 403, body: { error: "BLF_ADMIN_TOKEN is not set" } },
  );
  const { code, stdout, stderr } = await inProcess(["logs", "--follow"], node.env);
  expect(code).toBe(4);
  expect(stdout.match(/first|second/g)).toEqual(["first", "second"]);
  expect(stderr).toMatch(/waiting for it/);
  expect(node.asked.map(({ query }) => query.after)).toEqual([undefined, "7", "7", "8"]);
});
