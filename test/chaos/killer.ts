/**
 * Brings a node to a failure point and kills it there with SIGKILL, the whole process group with workerd in it, then
 * starts it again on the same state.
 */
import { type EdgeNode, startEdgeNode } from "../../devnet/edge-nodes.ts";
import { type LocalNetwork, modelSettings } from "../../devnet/network.ts";
import type { NodeLogLine } from "../../devnet/node-process.ts";
import type { Control } from "./control.ts";
import type { FailurePoint, Service } from "./points.ts";
import type { Kill } from "./schedule.ts";

export interface KillerParts {
  network: LocalNetwork;
  /** Replaced in place when a node is started again. */
  nodes: EdgeNode[];
  control: Control;
  stateDir: string;
  /** The Worker with failpoints. */
  worker: string;
  models: readonly string[];
  onLog(node: number, line: NodeLogLine): void;
}

export interface Killed {
  node: number;
  /** From the kill until the coordinator heard from the node again. */
  recoveryMs: number;
}

/** How long a point may take to be reached under load. */
const REACH_WITHIN_MS = 60_000;
const HEAR_WITHIN_MS = 60_000;
const LOOK_MS = 50;

export function startNode(parts: Omit<KillerParts, "nodes">, index: number): Promise<EdgeNode> {
  const { network, stateDir, models, worker, control } = parts;
  return startEdgeNode(network, {
    index,
    stateDir,
    models,
    worker,
    env: { ...modelSettings(network, "groq"), BLF_FAILPOINT_URL: control.url, BLF_KNOWN_CHECK_SECONDS: "10" },
    onLog: (node, line) => parts.onLog(node, line),
  });
}

export async function performKill(parts: KillerParts, kill: Kill): Promise<Killed> {
  const reached = kill.point === null ? await atRandom(kill) : await reach(parts, kill.point, kill.node);
  const { index } = reached;
  const node = parts.nodes[index];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  await node.process.kill();
  const killedMs = Date.now();
  reached.letOthersGo();
  await sleep(kill.downMs);
  const started = await startNode(parts, index);
  parts.nodes[index] = started;
  await heardSince(parts.network, started, killedMs);
  return { node: index, recoveryMs: Date.now() - killedMs };
}

interface Reached {
  index: number;
  letOthersGo(): void;
}

async function atRandom({ node, afterMs }: Kill): Promise<Reached> {
  await sleep(afterMs);
  return { index: node, letOthersGo: () => undefined };
}

async function reach(parts: KillerParts, point: FailurePoint, preferred: number): Promise<Reached> {
  const { control, nodes } = parts;
  const wanted = nodes[preferred];
  if (wanted === undefined) throw new Error(`there is no node ${preferred}`);
  if (point.request === undefined) {
    const gate = control.arm(point.name);
    trigger(point, wanted);
    const { node } = await within(gate.arrived, point.name);
    return { index: indexOf(nodes, node), letOthersGo: () => gate.open() };
  }
  const { service, path } = point.request;
  const mode = point.reach === "held" ? "hold" : "hang";
  const url = urlOf(parts.network, service);
  if (point.gate === undefined) {
    await arm(url, { path, mode, from: wanted.address });
    trigger(point, wanted);
    await taken(url, point.name);
    return { index: preferred, letOthersGo: () => undefined };
  }
  const index = await throughGate(parts, point, point.gate, { url, path, mode });
  return { index, letOthersGo: () => undefined };
}

/** One node is let through to the service, alone; it may be on its way to another service, then the next one is. */
async function throughGate(
  { control, nodes }: KillerParts,
  point: FailurePoint,
  gateName: string,
  fault: { url: string; path: string; mode: string },
): Promise<number> {
  const gate = control.arm(gateName);
  const { node } = await within(gate.arrived, gateName);
  await arm(fault.url, { path: fault.path, mode: fault.mode });
  gate.open();
  await taken(fault.url, point.name);
  return indexOf(nodes, node);
}

function trigger({ by }: FailurePoint, node: EdgeNode): void {
  // The answer may never come: the node is killed over it.
  if (by === "attest") void node.api("/api/attest", { method: "POST" }).catch(() => undefined);
}

function urlOf({ urls }: LocalNetwork, service: Service): string {
  const url = { icl: urls.icl, ipfs: urls.pinata, groq: urls.groq, rpc: urls.nodeRpc }[service];
  return new URL(url).origin;
}

async function arm(url: string, fault: Record<string, unknown>): Promise<void> {
  const reply = await fetch(`${url}/devnet/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fault),
  });
  if (!reply.ok) throw new Error(`the fault was not armed: ${await reply.text()}`);
}

/** Resolves once the armed fault has found its request. */
async function taken(url: string, what: string): Promise<void> {
  await poll(what, REACH_WITHIN_MS, async () => {
    const { faults } = (await (await fetch(`${url}/devnet/faults`)).json()) as { faults: unknown[] };
    return faults.length === 0;
  });
}

async function heardSince(network: LocalNetwork, node: EdgeNode, sinceMs: number): Promise<void> {
  await poll(`word from ${node.address}`, HEAR_WITHIN_MS, () => {
    const entry = network.coordinator.stats().nodes.find(({ address }) => address === node.address);
    return entry !== undefined && entry.lastSeenMs > sinceMs;
  });
}

async function poll(what: string, withinMs: number, done: () => boolean | Promise<boolean>): Promise<void> {
  const until = Date.now() + withinMs;
  while (!(await done())) {
    if (Date.now() > until) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await sleep(LOOK_MS);
  }
}

async function within<T>(work: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController();
  const tooLong = sleep(REACH_WITHIN_MS, timer.signal).then(() => {
    throw new Error(`${what}: not reached within ${REACH_WITHIN_MS / 1000} s`);
  });
  tooLong.catch(() => undefined);
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    timer.abort();
  }
}

function indexOf(nodes: readonly EdgeNode[], address: string): number {
  return nodes.findIndex((node) => node.address === address);
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
