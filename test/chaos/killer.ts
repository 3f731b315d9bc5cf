/**
 * Brings a node to a failure point and kills it there with SIGKILL, the whole process group with workerd in it, then
 * starts it again on the same state. It does not wait for a node to come back before it turns to the next one, but never
 * has more than two of them down, and never kills one that the coordinator has not heard from since.
 */
import { type EdgeNode, startEdgeNode } from "../../devnet/edge-nodes.ts";
import { type LocalNetwork, modelSettings } from "../../devnet/network.ts";
import type { NodeLogLine } from "../../devnet/node-process.ts";
import type { Control } from "./control.ts";
import { Faults } from "./faults.ts";
import { poll, sleep, within } from "./patience.ts";
import type { FailurePoint } from "./points.ts";
import type { Kill } from "./schedule.ts";

export interface KillerParts {
  network: LocalNetwork;
  control: Control;
  stateDir: string;
  /** The Worker with failpoints. */
  worker: string;
  models: readonly string[];
  onLog(node: number, line: NodeLogLine): void;
}

export interface Killed {
  node: number;
  /** From the kill until the coordinator heard from the node again, ms. */
  recoveryMs: number;
}

/** How long a point may take to be reached under load. */
const REACH_WITHIN_MS = 90_000;
const HEAR_WITHIN_MS = 90_000;
const DOWN_AT_ONCE = 2;
/** For a node that is past a gate already to get through the request that is to be held. */
const DRAIN_MS = 300;
const GATE_TRIES = 5;

export function startNode(parts: KillerParts, index: number): Promise<EdgeNode> {
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

/** A node stands at the point. `letGo` frees whoever waits behind it, once it is dead. */
interface Reached {
  index: number;
  letGo(): void;
}

export class Killer {
  readonly #parts: KillerParts;
  /** Replaced in place when a node is started again. */
  readonly #nodes: EdgeNode[];
  readonly #faults: Faults;
  /** The nodes that are down or not heard from yet. */
  readonly #away = new Map<number, Promise<Killed>>();

  constructor(parts: KillerParts, nodes: EdgeNode[]) {
    this.#parts = parts;
    this.#nodes = nodes;
    this.#faults = new Faults(parts.network);
  }

  /** Resolves once the node is dead, with what resolves once it is back. */
  async kill(kill: Kill): Promise<{ back: Promise<Killed> }> {
    while (this.#away.size >= DOWN_AT_ONCE) await Promise.race(this.#away.values());
    const { index, letGo } = kill.point === null ? await this.#atRandom(kill) : await this.#reach(kill.point, kill);
    // One that is held at its first steps after a kill may not be heard from yet: then this kill is what it waits for.
    await this.#settled(index);
    await this.#nodes[index]?.process.kill();
    const killedMs = Date.now();
    letGo();
    const back = this.#bringBack(index, kill.downMs, killedMs);
    this.#away.set(index, back);
    // Whoever awaits `back` is told; here it only must not count as unhandled.
    back.catch(() => undefined);
    return { back };
  }

  async #bringBack(index: number, downMs: number, killedMs: number): Promise<Killed> {
    await sleep(downMs);
    const node = await startNode(this.#parts, index);
    this.#nodes[index] = node;
    const { coordinator } = this.#parts.network;
    await poll(`word from ${node.address}`, HEAR_WITHIN_MS, () => {
      const entry = coordinator.stats().nodes.find(({ address }) => address === node.address);
      return entry !== undefined && entry.lastSeenMs > killedMs;
    });
    this.#away.delete(index);
    return { node: index, recoveryMs: Date.now() - killedMs };
  }

  async #settled(index: number): Promise<void> {
    await this.#away.get(index);
  }

  async #atRandom({ node, afterMs }: Kill): Promise<Reached> {
    await this.#settled(node);
    await sleep(afterMs);
    return { index: node, letGo: () => undefined };
  }

  async #reach(point: FailurePoint, { node }: Kill): Promise<Reached> {
    if (point.request === undefined) return this.#atFailpoint(point, node);
    if (point.gate !== undefined) return this.#pastGate(point, point.request, point.gate);
    await this.#settled(node);
    const wanted = this.#node(node);
    const taken = await this.#faults.arm(point.request, modeOf(point), wanted.address);
    trigger(point, wanted);
    await taken(REACH_WITHIN_MS, point.name);
    return { index: node, letGo: () => undefined };
  }

  async #atFailpoint(point: FailurePoint, preferred: number): Promise<Reached> {
    const gate = this.#parts.control.arm(point.name, ({ node }) => !this.#away.has(this.#indexOf(node)));
    try {
      await this.#settled(preferred);
      trigger(point, this.#node(preferred));
      const { node } = await within(gate.arrived, REACH_WITHIN_MS, point.name);
      return { index: this.#indexOf(node), letGo: () => gate.open() };
    } catch (error) {
      gate.open();
      throw error;
    }
  }

  /** One node alone is let through to a service that cannot tell who asks; another that slipped through is no harm. */
  async #pastGate(
    point: FailurePoint,
    request: NonNullable<FailurePoint["request"]>,
    around: NonNullable<FailurePoint["gate"]>,
  ): Promise<Reached> {
    const { control, network } = this.#parts;
    for (let tries = 0; tries < GATE_TRIES; tries++) {
      const gate = control.arm(
        around.before,
        ({ node, jobId }) =>
          !this.#away.has(this.#indexOf(node)) && modelOf(network, jobId).startsWith(around.model ?? ""),
      );
      try {
        const arrival = await within(gate.arrived, REACH_WITHIN_MS, around.before);
        await sleep(DRAIN_MS);
        const taken = await this.#faults.arm(request, modeOf(point));
        gate.letFirstGo();
        await taken(REACH_WITHIN_MS, point.name);
        await sleep(DRAIN_MS);
        const slipped = control.hasPassed({ ...arrival, name: around.after });
        if (!slipped) return { index: this.#indexOf(arrival.node), letGo: () => gate.open() };
        gate.open();
      } catch (error) {
        gate.open();
        throw error;
      }
    }
    throw new Error(`${point.name}: another node's request was held each time`);
  }

  #node(index: number): EdgeNode {
    const node = this.#nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  #indexOf(address: string): number {
    return this.#nodes.findIndex((node) => node.address === address);
  }
}

function trigger({ by }: FailurePoint, node: EdgeNode): void {
  // The answer may never come: the node is killed over it.
  if (by === "attest") void node.api("/api/attest", { method: "POST" }).catch(() => undefined);
}

function modeOf({ reach }: FailurePoint): "hold" | "hang" {
  return reach === "held" ? "hold" : "hang";
}

function modelOf(network: LocalNetwork, jobId: string): string {
  return network.coordinator.stats().jobs.find(({ job_id }) => job_id === jobId)?.model_id ?? "";
}
