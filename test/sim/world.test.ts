import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { isFinalState } from "../../core/jobs/job.ts";
import { type SimChain, startChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { crashes } from "./matrix.ts";
import { until } from "./platform/time.ts";
import { World } from "./world.ts";

const MODEL = "mock:demo";

let chain: SimChain;
let world: World | undefined;

beforeAll(async () => {
  chain = await startChain();
});
afterEach(() => {
  world?.close();
  world = undefined;
});
afterAll(() => chain.stop());

/** A job in each role, and the node that does both. */
async function twoJobs(): Promise<{ at: World; node: Deployment; jobs: string[] }> {
  const at = await World.open({ chain });
  world = at;
  const node = at.deploy({ index: 0, models: [MODEL] });
  await at.untilLive();
  await at.joinPeers([MODEL]);
  const led = await at.ask({ node, role: "leader", modelId: MODEL });
  const verified = await at.ask({ node, role: "verifier", modelId: MODEL });
  return { at, node, jobs: [led, verified] };
}

function over(node: Deployment, jobs: readonly string[]): true | undefined {
  const ended = jobs.every((jobId) => isFinalState(node.job(jobId)?.state ?? "offered"));
  return (ended && node.slotsHeld().length === 0) || undefined;
}

it("takes a job from the offer to its acceptance, as leader and as verifier", async () => {
  const { node, jobs } = await twoJobs();
  await until("the jobs to end", () => over(node, jobs));
  for (const jobId of jobs) expect(node.job(jobId)).toMatchObject({ state: "settled", outcome: "accepted" });
  expect(crashes(node)).toEqual([]);
});

it("goes on from what is stored, whatever write an object was killed at", async () => {
  const { at, node, jobs } = await twoJobs();
  let writes = 0;
  let kills = 0;
  const kill = () => {
    writes += 1;
    if (writes % 5 !== 0) return false;
    kills += 1;
    return true;
  };
  node.nodes.onWrite = kill;
  node.assignments.onWrite = kill;
  await until("the jobs to end", () => over(node, jobs));
  for (const jobId of jobs) expect(node.job(jobId)).toMatchObject({ state: "settled", outcome: "accepted" });
  expect(kills).toBeGreaterThan(10);
  expect(at.services.coordinator.stats().doubleCommitments).toEqual([]);
  expect(node.commitments()).toHaveLength(2);
});
