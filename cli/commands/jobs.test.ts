import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeNode, NODE, startFakeNode } from "../fake-node.ts";
import { inProcess } from "../in-process.ts";

let node: FakeNode;
beforeEach(async () => {
  node = await startFakeNode();
});
afterEach(() => node.close());

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const row = (change: Record<string, unknown> = {}) => ({
  node: NODE,
  jobId: "0xjob1",
  role: "leader",
  modelId: "mock:demo",
  promptCid: "bafyprompt",
  state: "settled",
  outcome: "accepted",
  outputCid: "bafyoutput",
  grantTx: null,
  rewardBlind: "0.6",
  failureCode: null,
  failureMessage: null,
  failureHint: null,
  offeredAt: AT,
  ...change,
});
const FAILED = row({
  jobId: "0xjob2",
  state: "failed",
  outcome: null,
  rewardBlind: null,
  failureCode: "deadline",
  failureMessage: "the model took too long",
  failureHint: "Serve a faster model.",
});

describe("jobs list", () => {
  it("lists outcome, reward and reason in columns, and says how to go on", async () => {
    node.answer("GET /api/assignments", { body: { assignments: [row(), FAILED], nextCursor: "1:a:b" } });
    const { code, stdout, stderr } = await inProcess(["jobs", "list", "--limit", "2", "--status", "x"], node.env);
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["offered (UTC)", "job", "role", "model", "state", "reward", "reason"],
      ["2026-01-02 03:04:05", "0xjob1", "leader", "mock:demo", "accepted", "0.6 BLIND"],
      ["2026-01-02 03:04:05", "0xjob2", "leader", "mock:demo", "failed", "–", "deadline"],
      [""],
    ]);
    expect(stderr).toContain("jobs list --cursor '1:a:b'");
    expect(node.asked[0]?.query).toEqual({ limit: "2", status: "x" });
  });

  it("takes a row of which an older node says less", async () => {
    const body = { assignments: [{ node: NODE, jobId: "0xjob3", state: "claimed" }] };
    node.answer("GET /api/assignments", { body });
    expect((await inProcess(["jobs", "list"], node.env)).stdout).toMatch(/^– +0xjob3 +– +– +claimed +–$/m);
    expect(JSON.parse((await inProcess(["jobs", "list", "--json"], node.env)).stdout)).toEqual(body);
  });

  it("refuses a count that is none, before it asks", async () => {
    for (const limit of ["0", "201", "1e2", "-1", "many"]) {
      expect(await inProcess(["jobs", "list", `--limit=${limit}`], node.env)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("must be 1 to 200"),
      });
    }
    expect(node.asked).toEqual([]);
  });
});

describe("jobs show", () => {
  const PATH = "GET /api/assignments/0xjob2";

  it("shows why a job failed and how long each state took", async () => {
    const timeline = [
      { at: AT, type: "job.offered", node: NODE, fields: {} },
      { at: AT + 65_000, type: "job.failed", node: NODE, fields: {} },
    ];
    node.answer(PATH, { body: { jobId: "0xjob2", jobs: [{ node: NODE, state: "failed" }], rows: [FAILED], timeline } });
    const { stdout } = await inProcess(["jobs", "show", "0xjob2"], node.env);
    expect(stdout).toMatch(/: leader for mock:demo, failed\n.*prompt +bafyprompt\n.*output +bafyoutput\n/);
    expect(stdout).toMatch(/deadline: the model took too long\n {4}fix: Serve a faster model\.\n/);
    expect(stdout).toMatch(/03:04:05 +job\.offered +0x7Ef5…aef8\n.*03:05:10 {2}\+1 minute 5 seconds {2}job\.failed/);
  });

  it("shows the live state where the history does not answer, and says that it does not", async () => {
    const live = { node: NODE, state: "claimed", role: "verifier", modelId: "mock:demo" };
    node.answer(PATH, { body: { jobId: "0xjob2", jobs: [live], rows: [], timeline: null } });
    const { stdout, stderr } = await inProcess(["jobs", "show", "0xjob2"], node.env);
    expect(stdout).toContain(`${NODE}: verifier for mock:demo, claimed`);
    expect(stderr).toContain("history does not answer");
  });

  it("fails for a job that nobody has, and puts an id into the path as it is", async () => {
    const { code, stderr } = await inProcess(["jobs", "show", "a/../b?c"], node.env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/answered 404.*\n {2}fix: Check the id/);
    expect(node.asked[0]?.path).toBe("/api/assignments/a%2F..%2Fb%3Fc");
  });
});

describe("jobs earnings", () => {
  const stats = { totalJobs: 4, success: 3, failed: 1, slashed: 0, currentStakeBlind: "1000", totalEarnedBlind: "1.8" };

  it.each([
    [
      "the service's figures",
      { stats, lastKnown: null },
      /earned 1\.8 BLIND\n {2}jobs 4: 3 accepted \(75 %\), 1 failed/,
    ],
    [
      "the last known ones with their date, where the service does not answer",
      { stats: null, lastKnown: { totalBlind: 1.2, jobsCount: 2, atMs: AT } },
      /unknown since 2026-01-02 03:04:05 UTC; then 1\.2 BLIND for 2 jobs/,
    ],
    ["unknown, where it never did", { stats: null, lastKnown: null }, /earned: unknown, .* never answered/],
    [
      "unknown, where only some of it is said",
      { stats: { totalEarnedBlind: "1.8" } },
      /jobs unknown: unknown accepted, unknown failed, unknown slashed/,
    ],
  ])("shows %s, and never 0 for what is not known", async (_what, said, line) => {
    node.answer("GET /api/earnings", { body: { nodes: [{ node: NODE, ...said }] } });
    const { code, stdout } = await inProcess(["jobs", "earnings"], node.env);
    expect(code).toBe(0);
    expect(stdout).toMatch(line);
    expect(stdout).not.toMatch(/earned:? 0/);
  });
});

it("jobs claim says that rewards come by themselves, and which are pending", async () => {
  node.answer("GET /api/assignments", { body: { assignments: [row(), row({ jobId: "0xjob4", rewardBlind: null })] } });
  node.answer("GET /api/earnings", { body: { nodes: [{ node: NODE, stats: null, lastKnown: null }] } });
  const { stdout } = await inProcess(["jobs", "claim"], node.env);
  expect(stdout).toMatch(/nothing to claim/);
  expect(stdout).toMatch(/1 accepted jobs of the latest 2 have no reward/);
  expect(stdout).toContain("0xjob4");
  expect(stdout).not.toContain("0xjob1");
  expect(JSON.parse((await inProcess(["jobs", "claim", "--json"], node.env)).stdout)).toMatchObject({
    claimable: false,
    pending: [{ jobId: "0xjob4", node: NODE, role: "leader" }],
  });
});
