import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { newJob } from "../../core/jobs/job.ts";
import { SAMPLE_MS, sampleOffer } from "../../core/jobs/sample-offer.ts";
import { writeJob } from "../../workers/adapters/history.ts";
import { assignmentName } from "../../workers/objects/names.ts";
import { JobIndex } from "../../workers/objects/node/job-index.ts";
import { asAdmin, call, first, from, second, third } from "./client.ts";

async function ask(jobId: string, query = ""): Promise<{ status: number; jobs?: unknown[] }> {
  const answer = await call(`/api/assignments/${encodeURIComponent(jobId)}${query}`, from("10.0.8.1", asAdmin()));
  return { status: answer.status, ...((await answer.json()) as { jobs?: unknown[] }) };
}

const offerOf = (jobId: string) => ({ ...sampleOffer("verifier"), jobId });

/** Which of our nodes has an object for this job. */
async function holders(jobId: string): Promise<string[]> {
  const ids = (await listDurableObjectIds(env.ASSIGNMENT)).map(String);
  return [first, second, third].filter((node) =>
    ids.includes(String(env.ASSIGNMENT.idFromName(assignmentName(node, jobId)))),
  );
}

it("asking for jobs that nobody was offered makes no objects", async () => {
  for (const id of ["nobody's", "0x00", "';DROP TABLE assignments;--", "x".repeat(512)]) {
    expect((await ask(id)).status).toBe(404);
    expect((await ask(id, `?node=${first}`)).status).toBe(404);
    expect(await holders(id)).toEqual([]);
  }
  expect(await listDurableObjectIds(env.ASSIGNMENT)).toEqual([]);
});

it("a job that only the node's index knows yet is asked of its own object and no other", async () => {
  await runInDurableObject(env.NODE.getByName(first), (_object, { storage }) =>
    new JobIndex(storage.sql).add(offerOf("indexed"), SAMPLE_MS),
  );
  expect((await ask("indexed")).status).toBe(404);
  expect(await holders("indexed")).toEqual([first]);
});

it("a job that only the history knows any more is asked of its own object and no other", async () => {
  await writeJob(env.DB, newJob(second, offerOf("remembered"), SAMPLE_MS), SAMPLE_MS);
  expect(await ask("remembered")).toMatchObject({ status: 200, jobs: [] });
  expect(await holders("remembered")).toEqual([second]);
});
