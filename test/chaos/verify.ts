/**
 * What must be true after a run, asked of everyone who has a say: the coordinator's record, every block of the chain,
 * the nodes' own state and history. Each violation is a line with its evidence.
 */
import { type Address, decodeFunctionData, type Hex, isAddressEqual } from "viem";
import { nodeRegistryAbi, promptKeyStoreAbi } from "../../core/chain/abi.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import type { LocalNetwork } from "../../devnet/network.ts";
import type { Control } from "./control.ts";
import type { Journal } from "./journal.ts";
import type { Load } from "./load.ts";

export interface Findings {
  /** Claimed (job, node) pairs, and those that were delivered and settled. */
  jobs: number;
  settled: number;
  lost: number;
  doubleCommitments: number;
  doubleTransactions: number;
  violations: string[];
}

interface NodeStatus {
  nodes: { slots: { open: number }; openJobs: { jobId: string; state: string }[]; holds: { code: string }[] }[];
}
interface Row {
  jobId: string;
  state: string;
  outcome: string | null;
  failureCode: string | null;
  failureMessage: string | null;
  failedIn: string | null;
  claimedAt: number | null;
}

/** After the load has ended: how long the nodes may take to hear of the last verdicts and write the last rows. */
const QUIET_WITHIN_MS = 90_000;
/** A heartbeat on chain is due once in several days. */
const DAY_SEC = 86_400n;

export interface Witnesses {
  network: LocalNetwork;
  nodes: readonly EdgeNode[];
  load: Load;
  control: Control;
  journal: Journal;
}

export async function verify({ network, nodes, load, control, journal }: Witnesses): Promise<Findings> {
  const violations: string[] = [...load.errors];
  await quiet(nodes, violations);
  const stats = network.coordinator.stats();
  const histories = new Map(
    await Promise.all(nodes.map(async (node) => [node.address, await historyOf(node)] as const)),
  );
  let jobs = 0;
  let settled = 0;
  for (const job of stats.jobs) {
    if (job.status !== "ACCEPTED") violations.push(`job ${job.job_id}: the quorum ended ${job.status}`);
    for (const member of job.members) {
      if (member.claimsMs.length === 0) continue;
      jobs += 1;
      const row = histories.get(member.node)?.get(job.job_id);
      const inTime =
        member.commitment !== null && member.failedAtMs === null && member.commitment.atMs < job.deadlineMs;
      if (inTime && row?.state === "settled") settled += 1;
      else
        violations.push(
          `job ${job.job_id}, ${member.role} ${member.node}: ${describe(row)}, in time: ${inTime}\n${journal.of(job.job_id)}`,
        );
    }
  }
  for (const one of stats.doubleCommitments) violations.push(`double commitment: ${JSON.stringify(one)}`);
  for (const one of stats.failuresRecorded) violations.push(`failure on chain: ${one.jobId} ${one.node}`);
  for (const { jobId, node } of control.repeatedAnswers) {
    // Asked again because the first time failed: nothing was sealed.
    if (journal.failedAt(node, jobId, "execute")) continue;
    violations.push(`answered twice: ${jobId} by ${node}\n${journal.of(jobId)}`);
  }
  const doubled = await doubledTransactions(network, nodes);
  violations.push(...doubled);
  return {
    jobs,
    settled,
    lost: jobs - settled,
    doubleCommitments: stats.doubleCommitments.length,
    doubleTransactions: doubled.length,
    violations,
  };
}

function describe(row: Row | undefined): string {
  if (row === undefined) return "no row in its history";
  const failure = row.failureCode === null ? "" : ` ${row.failureCode} in ${row.failedIn}: ${row.failureMessage}`;
  return `${row.state}${row.outcome === null ? "" : ` ${row.outcome}`}${failure}`;
}

/** Waits until nothing is in flight anywhere. */
async function quiet(nodes: readonly EdgeNode[], violations: string[]): Promise<void> {
  const until = Date.now() + QUIET_WITHIN_MS;
  let busy: string[] = [];
  do {
    busy = (await Promise.all(nodes.map(busyWith))).flat();
    if (busy.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  } while (Date.now() < until);
  violations.push(...busy.map((what) => `still in flight: ${what}`));
}

async function busyWith(node: EdgeNode): Promise<string[]> {
  const status = (await node.api("/api/status")) as NodeStatus;
  const { transactions } = (await node.api("/api/transactions")) as {
    transactions: { purpose: string; state: string }[];
  };
  const history = await historyOf(node);
  const snapshot = status.nodes[0];
  if (snapshot === undefined) return [`${node.address} has no status`];
  const open = transactions.filter(({ state }) => state === "queued" || state === "signed");
  const unfinished = [...history.values()].filter(({ state }) => state !== "settled" && state !== "failed");
  return [
    ...(snapshot.slots.open === 0 ? [] : [`${snapshot.slots.open} slots of ${node.address}`]),
    ...snapshot.openJobs.map(({ jobId, state }) => `job ${jobId} (${state}) of ${node.address}`),
    ...snapshot.holds.map(({ code }) => `${node.address} is held: ${code}`),
    ...open.map(({ purpose, state }) => `transaction ${purpose} (${state}) of ${node.address}`),
    ...unfinished.map(({ jobId, state }) => `history of ${jobId} (${state}) of ${node.address}`),
  ];
}

async function historyOf(node: EdgeNode): Promise<Map<string, Row>> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = (await node.api(`/api/assignments?limit=200${query}`)) as {
      assignments: Row[];
      nextCursor: string | null;
    };
    rows.push(...page.assignments);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return new Map(rows.map((row) => [row.jobId, row]));
}

/** Every transaction of the nodes on chain, by what it is for. */
async function doubledTransactions(network: LocalNetwork, nodes: readonly EdgeNode[]): Promise<string[]> {
  const client = createChainClient({ rpcUrls: [network.urls.rpc], chainId: network.chainId });
  const counts = new Map<string, number>();
  const last = await client.getBlockNumber({ cacheTime: 0 });
  for (let blockNumber = 0n; blockNumber <= last; blockNumber++) {
    const block = await client.getBlock({ blockNumber, includeTransactions: true });
    for (const { from, to, input } of block.transactions) {
      if (to === null || !nodes.some(({ address }) => isAddressEqual(address, from))) continue;
      const what = purposeOf(network.contracts, to, input, block.timestamp);
      if (what !== null) counts.set(`${from} ${what}`, (counts.get(`${from} ${what}`) ?? 0) + 1);
    }
  }
  return [...counts].filter(([, count]) => count > 1).map(([purpose, count]) => `sent ${count} times: ${purpose}`);
}

/** Null for what the devnet sends in a node's name when it enrols it. */
function purposeOf(contracts: LocalNetwork["contracts"], to: Address, input: Hex, atSec: bigint): string | null {
  if (isAddressEqual(to, contracts.promptKeyStore)) {
    const { args } = decodeFunctionData({ abi: promptKeyStoreAbi, data: input });
    return `storeKey ${String(args?.[0])}`;
  }
  if (!isAddressEqual(to, contracts.nodeRegistry)) return null;
  const { functionName } = decodeFunctionData({ abi: nodeRegistryAbi, data: input });
  return functionName === "heartbeat" ? `heartbeat of day ${atSec / DAY_SEC}` : null;
}
