/**
 * Runs one call's faults, each towards a node of its own in one world, and says what came of each: the job's outcome,
 * what was noted, and whatever must never happen. A node whose case is decided is taken down, so that only the slow
 * cases are waited for.
 */
import { commitment } from "../../core/crypto/commitment.ts";
import { isFinalState } from "../../core/jobs/job.ts";
import { unasked, unlisted } from "./calls.ts";
import type { SimChain } from "./chain.ts";
import type { Deployment } from "./deployment.ts";
import { type Endpoint, patternOf } from "./endpoint.ts";
import { faultOf } from "./fault-modes.ts";
import type { Row } from "./fault-table.ts";
import { honestAnswer } from "./peer.ts";
import { pass, until } from "./platform/time.ts";
import { World } from "./world.ts";

const DEADLINE_SEC = 150;
/** How long an offer may be left alone before it counts as not claimed, ms. */
const UNCLAIMED_MS = 60_000;
const FOR_GOOD = 1_000_000;

export interface Found extends Row {
  /** What must never happen, and did. */
  wrong: string[];
}

interface Case {
  row: Row;
  node: Deployment;
  jobId: string | null;
  found: Found | null;
}

export async function runRows(chain: SimChain, endpoint: Endpoint, rows: readonly Row[]): Promise<Found[]> {
  const { deadlineSec = DEADLINE_SEC, contextTokens } = endpoint;
  const world = await World.open({
    chain,
    coordinator: { jobDeadlineSec: deadlineSec },
    ...(contextTokens === undefined ? {} : { contextTokens }),
  });
  try {
    const cases = rows.map((row, index): Case => {
      const node = world.deploy({ index, models: [endpoint.model], settings: { BLF_KNOWN_CHECK_SECONDS: "30" } });
      if (endpoint.duty?.from === "start") arm(chain, endpoint, node, row);
      return { row, node, jobId: null, found: null };
    });
    await begin(chain, world, endpoint, cases);
    for (const one of cases) await askFor(world, endpoint, one);
    const askedMs = Date.now();
    await until("every job to come to its end", () => {
      for (const one of cases) if (one.found === null && isOver(one, askedMs)) conclude(chain, world, endpoint, one);
      return cases.every(({ found }) => found !== null) || undefined;
    });
    await judgeCommitments(world, endpoint, cases);
    return cases.flatMap(({ found }) => (found === null ? [] : [found]));
  } finally {
    world.close();
  }
}

async function begin(chain: SimChain, world: World, endpoint: Endpoint, cases: readonly Case[]): Promise<void> {
  const { duty } = endpoint;
  if (duty?.from !== "start") {
    await world.untilLive();
    for (const { node, row } of cases) arm(chain, endpoint, node, row);
  }
  if (duty !== undefined) await pass(duty.beforeJobSec * 1_000);
  await world.joinPeers([endpoint.model]);
}

/** A node that the coordinator does not select for the model is asked for nothing. */
async function askFor(world: World, endpoint: Endpoint, one: Case): Promise<void> {
  if (!one.node.isLive(world.services.coordinator, endpoint.model)) return;
  one.jobId = await world.ask({ node: one.node, role: endpoint.role, modelId: endpoint.model });
}

function arm({ contracts }: SimChain, endpoint: Endpoint, node: Deployment, { fault, times }: Row): void {
  const { door, method, given = [] } = endpoint;
  for (const { status, count, ...other } of given) {
    const path = patternOf(other, contracts);
    node.doors.faults[other.door].arm({ path, method: other.method, mode: "status", status, count });
  }
  const path = patternOf(endpoint, contracts);
  const count = times === "few" ? endpoint.few : FOR_GOOD;
  node.doors.faults[door].arm({ path, method, count, ...faultOf(fault, endpoint) });
}

/** The job is over, the node knows, and the history has it; or nobody took it. */
function isOver({ node, jobId }: Case, askedMs: number): boolean {
  const job = jobId === null ? undefined : node.job(jobId);
  if (job === undefined) return jobId === null || Date.now() - askedMs > UNCLAIMED_MS;
  const known = isFinalState(job.state) && !node.slotsHeld().includes(job.jobId);
  return known && node.history("assignments").some(({ state }) => state === job.state);
}

function conclude(chain: SimChain, world: World, endpoint: Endpoint, one: Case): void {
  const { node, row, jobId } = one;
  const failing = node.log.find(({ event, duty }) => event === "duty.failed" && duty === endpoint.duty?.name);
  one.found = {
    ...row,
    job: jobId === null ? "not claimed" : outcomeOf(node, jobId),
    noted: failing === undefined ? null : String(failing.code),
    wrong: [
      ...crashes(node),
      ...unexplained(node, jobId),
      ...node.slotsHeld().map((id) => `a slot is held for ${id}`),
      ...unlisted(node.doors.asked, chain.contracts).map((call) => `${call} is not in the table`),
      ...unasked(node.doors.asked, chain.contracts, [endpoint]).map((call) => `${call} was never asked`),
    ],
  };
  node.dispose();
  world.release(node);
}

/** How a job ended, in the words of the table. */
export function outcomeOf(node: Deployment, jobId: string): string {
  const job = node.job(jobId);
  if (job === undefined) return "not claimed";
  if (job.failure === null) return job.outcome ?? job.state;
  if (job.failure.code !== "deadline") return `failed ${job.failure.code}`;
  const last = /last error ([a-z-]+):/.exec(job.failure.message)?.[1];
  return last === undefined ? "deadline" : `deadline ${last}`;
}

function unexplained(node: Deployment, jobId: string | null): string[] {
  const failure = jobId === null ? undefined : node.job(jobId)?.failure;
  if (failure === undefined || failure === null) return [];
  return failure.message === "" || failure.hint === "" ? ["a failure without a reason or a hint"] : [];
}

/** Log lines and alarms that only a bug brings about. */
export function crashes(node: Deployment): string[] {
  const lines = node.log.filter(({ event, code }) => code === "internal" || CRASHES.includes(event));
  const alarms = [...node.nodes.alarmErrors, ...node.assignments.alarmErrors];
  return [
    ...lines.map(({ event, reason }) => `${event}: ${String(reason)}`),
    ...alarms.map((error) => `alarm: ${String(error)}`),
  ];
}

const CRASHES = ["assignment.alarm-failed", "tick.failed", "cron.tick-failed"];

/** What reached the coordinator is the one hash that is right for this job, and the one that the guard recorded. */
async function judgeCommitments(world: World, endpoint: Endpoint, cases: readonly Case[]): Promise<void> {
  const doubles = world.services.coordinator.stats().doubleCommitments;
  for (const { node, jobId, found } of cases) {
    if (jobId === null || found === null) continue;
    if (doubles.some((double) => double.node === node.address)) found.wrong.push("a second commitment");
    const view = world.view(jobId);
    const given = view.members.find((member) => member.node === node.address)?.commitment?.hash;
    if (given === undefined) continue;
    const right = await commitment(view.output_cid ?? "", await honestAnswer(endpoint.model));
    if (given !== right) found.wrong.push("a wrong commitment");
    if (!node.commitments().some((entry) => entry.commitment === given)) found.wrong.push("an unguarded commitment");
  }
}
