/**
 * `npm run test:chaos -- --seed S --kills N [--json]`: three edge nodes under steady load, killed again and again with
 * SIGKILL, at every failure point and at random moments. It passes when every claimed job was delivered in time and
 * settled, with one commitment a node and one transaction a purpose, and nothing is left in flight. The same seed gives
 * the same kills.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type EdgeNode, untilLive } from "../../devnet/edge-nodes.ts";
import { startNetwork } from "../../devnet/network.ts";
import { buildAll, buildWorker } from "../../scripts/build.ts";
import { startControl } from "./control.ts";
import { Journal } from "./journal.ts";
import { type Killed, Killer, type KillerParts, startNode } from "./killer.ts";
import { startLoad } from "./load.ts";
import { scheduleOf } from "./schedule.ts";
import { type Findings, verify } from "./verify.ts";

const NODES = [0, 1, 2];
const MODELS = ["mock:demo", "groq:llama-3.3-70b-versatile"];

interface Options {
  seed: number;
  kills: number;
  json: boolean;
}

async function run(options: Options): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "blindference-edge-chaos-"));
  const stops: (() => Promise<unknown>)[] = [];
  let passed = false;
  try {
    passed = await torment(options, folder, stops);
  } catch (error) {
    process.stderr.write(`the run broke off: ${error instanceof Error ? error.message : String(error)}\n`);
  } finally {
    for (const stop of stops.reverse()) await stop();
    if (passed) await rm(folder, { recursive: true, force: true });
    else process.stderr.write(`the nodes' logs and state are kept in ${folder}\n`);
  }
  return passed ? 0 : 1;
}

/** The whole run. Gives whether everything held. */
async function torment(options: Options, folder: string, stops: (() => Promise<unknown>)[]): Promise<boolean> {
  await buildAll();
  // The release's sources with failpoints in: the only difference is one constant.
  await buildWorker({ outdir: join(folder, "worker"), failpoints: true });
  const network = await startNetwork({ stateDir: join(folder, "network") });
  stops.push(() => network.stop());
  const control = await startControl();
  stops.push(() => control.close());
  const journal = new Journal();
  const parts: KillerParts = {
    network,
    control,
    stateDir: join(folder, "nodes"),
    worker: join(folder, "worker", "index.js"),
    models: MODELS,
    onLog: (_node, line) => journal.add(line),
  };
  const nodes: EdgeNode[] = await Promise.all(NODES.map((index) => startNode(parts, index)));
  stops.push(() => Promise.all(nodes.map((node) => node.process.stop())));
  await untilLive(
    network,
    nodes.map(({ address }) => address),
  );
  const load = startLoad(network, nodes, MODELS);
  // Stopped first of all: a user must not go on asking a network that is gone.
  stops.push(() => load.abandon());
  const recoveries = await killAll(options, new Killer(parts, nodes));
  await load.finish();
  const findings = await verify({ network, nodes, load, control, journal });
  for (const violation of findings.violations) process.stderr.write(`${violation}\n`);
  report(options, findings, recoveries);
  return findings.violations.length === 0 && findings.jobs > 0;
}

/** Every kill of the schedule. Gives how long each node was away, ms. */
async function killAll({ seed, kills, json }: Options, killer: Killer): Promise<number[]> {
  const backs: Promise<Killed>[] = [];
  for (const [index, kill] of scheduleOf(seed, kills, NODES.length).entries()) {
    const { back } = await killer.kill(kill);
    backs.push(back);
    const what = `${index + 1}/${kills} ${kill.point?.name ?? "at random"}`;
    const tell = ({ node, recoveryMs }: Killed) =>
      process.stdout.write(`${what}: node ${node + 1} back after ${recoveryMs} ms\n`);
    if (!json) void back.then(tell, () => undefined);
  }
  return (await Promise.all(backs)).map(({ recoveryMs }) => recoveryMs);
}

function report({ seed, kills, json }: Options, findings: Findings, recoveries: number[]): void {
  const { violations: _violations, ...counts } = findings;
  const sorted = recoveries.toSorted((a, b) => a - b);
  const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0;
  const line = { seed, kills, ...counts, recoverySecondsP95: Math.round(p95 / 100) / 10 };
  const summary =
    `${kills} kills: ${counts.settled} of ${counts.jobs} claimed jobs settled, ${counts.lost} lost, ` +
    `${counts.doubleCommitments} double commitments, ${counts.doubleTransactions} double transactions; ` +
    `95 % of the restarts were heard within ${line.recoverySecondsP95} s (seed ${seed})`;
  process.stdout.write(`${json ? JSON.stringify(line) : summary}\n`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      kills: { type: "string", default: "200" },
      json: { type: "boolean", default: false },
    },
  });
  const number = (name: "seed" | "kills") => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} must be a whole number, not ${values[name]}`);
    return value;
  };
  return { seed: number("seed"), kills: number("kills"), json: values.json };
}

process.exit(await run(readOptions()));
