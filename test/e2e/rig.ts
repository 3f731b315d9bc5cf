/** A whole network with edge nodes as processes, for one test file; torn down with it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EdgeNode, startEdgeNode, untilLive } from "../../devnet/edge-nodes.ts";
import { type LocalNetwork, startNetwork } from "../../devnet/network.ts";
import type { NodeLogLine } from "../../devnet/node-process.ts";
import type { UserResult } from "../../devnet/user/user.ts";

export interface RigOptions {
  models: readonly string[];
  nodes?: number;
  verifiers?: "early" | "late";
  /** Settings of the n-th node beside the network's. */
  env?(network: LocalNetwork, index: number): Record<string, string> | Promise<Record<string, string>>;
}

export interface Rig {
  network: LocalNetwork;
  nodes: EdgeNode[];
  stateDir: string;
  /** Every log line of every node, in order of arrival. */
  log: { node: number; line: NodeLogLine }[];
  ask(modelId: string, prompt: string): Promise<UserResult>;
  restart(index: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startRig(options: RigOptions): Promise<Rig> {
  const stateDir = await mkdtemp(join(tmpdir(), "blindference-edge-e2e-"));
  const log: Rig["log"] = [];
  const network = await startNetwork({ stateDir, verifiers: options.verifiers ?? "early" });
  const nodes: EdgeNode[] = [];
  const start = async (index: number) =>
    startEdgeNode(network, {
      index,
      stateDir,
      models: options.models,
      env: { BLF_KNOWN_CHECK_SECONDS: "10", ...(await options.env?.(network, index)) },
      onLog: (node, line) => log.push({ node, line }),
    });
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.process.stop()));
    await network.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
  try {
    nodes.push(...(await Promise.all(Array.from({ length: options.nodes ?? 3 }, (_, index) => start(index)))));
    await untilLive(network, addressesOf(nodes));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    network,
    nodes,
    stateDir,
    log,
    ask: (modelId, prompt) => network.user.runJob({ modelId, prompt }),
    async restart(index) {
      await nodes[index]?.process.kill();
      nodes[index] = await start(index);
    },
    stop,
  };
}

export function addressesOf(nodes: readonly EdgeNode[]): string[] {
  return nodes.map((node) => node.address);
}

/** Every file below a folder, as bytes. */
export async function allFiles(folder: string): Promise<{ path: string; bytes: Buffer }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, bytes: await readFile(path) };
      }),
  );
}
