import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JOB_SCHEMA } from "../../core/jobs/job.ts";
import { VERSION } from "../../core/version.ts";
import { startEdgeNode, untilLive } from "../../devnet/edge-nodes.ts";
import type { UserResult } from "../../devnet/user/user.ts";
import { MIGRATIONS } from "../../workers/adapters/migrations.generated.ts";
import { eventually } from "../eventually.ts";
import { buildNextVersion } from "./next-version/build.ts";
import { MADE_BEFORE, NEXT_MIGRATION, NEXT_VERSION, RENAMED } from "./next-version/changes.ts";
import { type Stored, type StoredRow, storedOf } from "./next-version/stored.ts";
import { addressesOf, type Rig, startRig } from "./rig.ts";

const MODEL = "mock:demo";
/** Starting three nodes on a busy machine, with jobs in between that wait for services to come back. */
const SLOW_MS = 240_000;

let rig: Rig;
let folder: string;
let next: string;
/** Under the old version, from end to end. */
let first: UserResult;
/** Held where they were when the version changed, by what held them. */
const held: Record<string, Promise<UserResult | Error>> = {};
let statesAtSwitch: string[];
let switchedAtMs: number;

/** Asks for a job that is awaited later. */
function ask(prompt: string): Promise<UserResult | Error> {
  return rig.ask(MODEL, prompt).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
}

async function fault(service: "icl" | "pinata", path: string | null): Promise<void> {
  const url = `${new URL(rig.network.urls[service]).origin}/devnet/faults`;
  const init =
    path === null
      ? { method: "DELETE" }
      : { method: "POST", body: JSON.stringify({ path, mode: "hang", count: 1_000_000 }) };
  expect((await fetch(url, init)).ok).toBe(true);
}

/** Asks for a job while `path` hangs, and gives it once the nodes have entered these states. */
async function hold(service: "icl" | "pinata", path: string, states: Record<string, number>): Promise<void> {
  const since = rig.log.length;
  await fault(service, path);
  held[path] = ask(`Held at ${path}`);
  for (const [state, count] of Object.entries(states)) {
    await eventually(
      `${count} × job.${state} while ${path} hangs`,
      () => (logged(`job.${state}`, since).length >= count ? true : undefined),
      60_000,
    );
  }
}

async function release(): Promise<void> {
  await fault("icl", null);
  await fault("pinata", null);
}

function logged(event: string, since: number): Record<string, unknown>[] {
  return rig.log
    .slice(since)
    .filter(({ line }) => line.event === event)
    .map(({ node, line }) => ({ node, ...line }));
}

/** Ends every node, the first as in a power cut, and starts another version on what they left. */
async function deploy(worker?: string): Promise<void> {
  await Promise.all(rig.nodes.map(({ process }, index) => (index === 0 ? process.kill() : process.stop())));
  const started = rig.nodes.map(({ index }) =>
    startEdgeNode(rig.network, {
      index,
      stateDir: rig.stateDir,
      models: [MODEL],
      env: { BLF_KNOWN_CHECK_SECONDS: "10" },
      onLog: (node, line) => rig.log.push({ node, line }),
      ...(worker === undefined ? {} : { worker }),
    }),
  );
  rig.nodes.splice(0, rig.nodes.length, ...(await Promise.all(started)));
  await untilLive(rig.network, addressesOf(rig.nodes));
}

async function versions(): Promise<unknown[]> {
  return Promise.all(rig.nodes.map(async (node) => ((await node.api("/api/status")) as { version: string }).version));
}

function stored(): Stored[] {
  return rig.nodes.map(({ index }) => storedOf(rig.stateDir, index));
}

/** The job's record as each node shows it. */
async function shown(jobId: string): Promise<StoredRow[]> {
  const replies = await Promise.all(rig.nodes.map((node) => node.api(`/api/assignments/${jobId}`)));
  return replies.map((reply) => (reply as { jobs: StoredRow[] }).jobs[0] ?? {});
}

async function settled(jobId: string): Promise<void> {
  await eventually(`the end of ${jobId} in every node`, async () =>
    (await shown(jobId)).every(({ state }) => state === "settled") ? true : undefined,
  );
}

async function openJobs(): Promise<string[]> {
  const replies = await Promise.all(rig.nodes.map((node) => node.api("/api/status")));
  const nodes = replies.flatMap((reply) => (reply as { nodes: { openJobs: { jobId: string }[] }[] }).nodes);
  return [...new Set(nodes.flatMap((node) => node.openJobs.map(({ jobId }) => jobId)))];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "blindference-edge-next-"));
  [rig, next] = await Promise.all([startRig({ models: [MODEL] }), buildNextVersion(folder)]);
  first = await rig.ask(MODEL, "Before the next version");
  await settled(first.jobId);
}, SLOW_MS);

afterAll(async () => {
  await rig?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("a new version that is deployed in the middle of jobs", () => {
  beforeAll(async () => {
    await hold("icl", "/task/result", { granted: 1, answered: 3 });
    await hold("pinata", "/pinning/", { answered: 3 });
    await hold("pinata", "^/ipfs/", { claimed: 3 });
    const rows = (await Promise.all((await openJobs()).map(shown))).flat();
    statesAtSwitch = rows.map(({ role, state }) => `${String(role)} ${String(state)}`).sort();
    switchedAtMs = Date.now();
    await deploy(next);
    await release();
  }, SLOW_MS);

  it("finds leaders and verifiers at every step", async () => {
    expect(statesAtSwitch).toEqual([
      "leader answered",
      "leader claimed",
      "leader granted",
      "verifier answered",
      "verifier answered",
      "verifier answered",
      "verifier answered",
      "verifier claimed",
      "verifier claimed",
    ]);
    expect(await versions()).toEqual([NEXT_VERSION, NEXT_VERSION, NEXT_VERSION]);
  });

  it(
    "carries each of them on to its acceptance",
    async () => {
      for (const [path, result] of Object.entries(held)) {
        expect(await result, path).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
      }
    },
    SLOW_MS,
  );

  it("makes one commitment for each job and node, and one transaction for each key", async () => {
    const { jobs, doubleCommitments, failuresRecorded } = rig.network.coordinator.stats();
    expect(doubleCommitments).toEqual([]);
    expect(failuresRecorded).toEqual([]);
    expect(jobs).toHaveLength(4);
    for (const { members } of jobs) {
      expect(new Set(members.map((member) => member.commitment?.hash)).size).toBe(1);
      expect(members.map((member) => member.commitment)).not.toContain(null);
    }
    // The history follows the node's own record.
    const grants = await eventually("four confirmed grants in the history", () => {
      const sent = stored().flatMap(({ history }) => history("SELECT purpose, state, hash FROM transactions"));
      const found = sent.filter(({ purpose }) => String(purpose).startsWith("output-key:"));
      return found.filter(({ state }) => state === "confirmed").length >= 4 ? found : undefined;
    });
    expect(grants).toHaveLength(4);
    expect(new Set(grants.map(({ hash }) => hash)).size).toBe(4);
  });

  it("does not compute again what was answered before", async () => {
    const result = (await held["/pinning/"]) as UserResult;
    for (const job of await shown(result.jobId)) {
      expect((job as { times: { answered: number } }).times.answered).toBeLessThan(switchedAtMs);
    }
  });

  it("keeps their rows in its own schema, and leaves the finished one as it was saved", async () => {
    for (const result of Object.values(held)) {
      for (const job of await shown(((await result) as UserResult).jobId)) {
        expect(job).toMatchObject({ schema: JOB_SCHEMA + 1, madeBy: MADE_BEFORE });
        expect(job[RENAMED.to]).toMatch(/^[0-9a-f]{64}$/);
        expect(job).not.toHaveProperty(RENAMED.from);
      }
    }
    for (const { jobs } of stored()) {
      const [finished, carried] = [true, false].map((isFirst) =>
        jobs().filter(({ json }) => String(json).includes(first.jobId) === isFirst),
      );
      expect(finished).toMatchObject([{ schema: JOB_SCHEMA }]);
      expect(carried?.map(({ schema }) => schema)).toEqual(Array(3).fill(JOB_SCHEMA + 1));
    }
  });

  it("brings each history up to date once, and keeps what was in it", async () => {
    await Promise.all(Object.values(held).map(async (result) => settled(((await result) as UserResult).jobId)));
    for (const { history, migrations } of stored()) {
      expect(migrations()).toEqual([...MIGRATIONS.map(({ name }) => name), NEXT_MIGRATION]);
      expect(history("SELECT name FROM makers")).toEqual([{ name: NEXT_VERSION }]);
      const rows = await eventually("the end of every job in the history", () => {
        const found = history("SELECT job_id, state, outcome, made_by FROM assignments");
        return found.every(({ state }) => state === "settled") ? found : undefined;
      });
      expect(rows).toHaveLength(4);
      for (const row of rows) {
        expect(row).toMatchObject({ outcome: "accepted", made_by: row.job_id === first.jobId ? null : MADE_BEFORE });
      }
    }
  });

  it("takes new jobs as usual", async () => {
    const result = await rig.ask(MODEL, "Under the next version");
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    for (const job of await shown(result.jobId)) {
      expect(job).toMatchObject({ schema: JOB_SCHEMA + 1, madeBy: NEXT_VERSION });
    }
  });
});

describe("the version before it, put back in the middle of jobs", () => {
  let since: number;
  let openId: string;
  let before: StoredRow[][];

  beforeAll(async () => {
    await hold("pinata", "/pinning/", { answered: 3 });
    openId = (await openJobs()).join();
    since = rig.log.length;
    await Promise.all(rig.nodes.map(({ process }) => process.stop()));
    before = stored().map(({ jobs }) => jobs());
    await deploy();
    await release();
  }, SLOW_MS);

  it("says of each job that a newer version saved that it leaves it alone, and what to do", async () => {
    expect(await versions()).toEqual([VERSION, VERSION, VERSION]);
    for (const { index } of rig.nodes) {
      const line = await eventually(
        `node ${index + 1} saying so`,
        () => logged("assignment.unreadable", since).find(({ node }) => node === index),
        90_000,
      );
      expect(line).toMatchObject({
        level: "error",
        code: "job-newer",
        hint: expect.stringContaining("Deploy the newer version again"),
      });
    }
    for (const job of await shown(openId)) {
      expect(job).toMatchObject({ state: "unreadable", failure: { code: "job-newer" } });
    }
  }, 120_000);

  it("takes new jobs as usual, on the history that the newer version left", async () => {
    const result = await rig.ask(MODEL, "Under the old version again");
    expect(result).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    await settled(result.jobId);
    for (const { history } of stored()) {
      const sql = `SELECT state, made_by FROM assignments WHERE job_id = '${result.jobId}'`;
      const row = await eventually("its end in the history", () =>
        history(sql).find(({ state }) => state === "settled"),
      );
      expect(row).toMatchObject({ made_by: null });
    }
  });

  it("has not touched a byte of the newer rows", () => {
    for (const [index, { jobs }] of stored().entries()) {
      const newer = (before[index] ?? []).filter(({ schema }) => schema === JOB_SCHEMA + 1);
      expect(newer).toHaveLength(5);
      expect(jobs()).toEqual(expect.arrayContaining(newer));
    }
  });

  it(
    "makes way for the newer one again, which carries the job on that it had begun",
    async () => {
      await deploy(next);
      expect(await held["/pinning/"]).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
      expect(rig.network.coordinator.stats().doubleCommitments).toEqual([]);
      for (const { migrations } of stored()) {
        expect(migrations().filter((name) => name === NEXT_MIGRATION)).toHaveLength(1);
      }
    },
    SLOW_MS,
  );
});
