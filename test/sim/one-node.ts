/** One node in a world of its own on a shared chain, for tests of a single case: opened live, closed after each test. */
import { expect } from "vitest";
import { isFinalState } from "../../core/jobs/job.ts";
import type { SimChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { crashes, outcomeOf } from "./matrix.ts";
import { working } from "./platform/idle.ts";
import { realPost } from "./platform/real-post.ts";
import { until } from "./platform/time.ts";
import { World, type WorldOptions } from "./world.ts";

export const MODEL = "mock:demo";
export const MINUTE_MS = 60_000;

let world: World | undefined;

/** A live node, and peers that complete its quorums. */
export async function live(options: WorldOptions): Promise<{ at: World; node: Deployment }> {
  const at = await World.open(options);
  world = at;
  const node = at.deploy({ index: 0, models: [MODEL] });
  await at.untilLive();
  await at.joinPeers([MODEL]);
  return { at, node };
}

export function closeWorld(): void {
  world?.close();
  world = undefined;
}

/** How the job ended, in the words of the table. Nothing crashed on the way, and no job had two commitments. */
export async function ended(at: World, node: Deployment, jobId: string): Promise<string> {
  await until("the job to end", () => {
    const state = node.job(jobId)?.state;
    return (state !== undefined && isFinalState(state) && node.slotsHeld().length === 0) || undefined;
  });
  expect(crashes(node)).toEqual([]);
  expect(at.services.coordinator.stats().doubleCommitments).toEqual([]);
  return outcomeOf(node, jobId);
}

export const told = (node: Deployment, event: string) => node.log.filter((line) => line.event === event);

/** A call to the chain itself, past every door. */
export const control = ({ rpcUrl }: SimChain, method: string, ...params: unknown[]) =>
  working(async () => {
    const reply = await realPost(rpcUrl, { body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) });
    const { result, error } = (await reply.json()) as { result?: unknown; error?: { message: string } };
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  });
