/**
 * `npm run test:chaos -- --seed S --kills N [--json]`: three edge nodes under steady load, killed again and again with
 * SIGKILL, at every failure point and at random moments. It passes when every claimed job was delivered in time and
 * settled, with one commitment a node and one transaction a purpose, and nothing is left in flight. The same seed gives
 * the same kills.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { type EdgeNode, untilLive } from "../../devnet/edge-nodes.ts";
import { startNetwork } from "../../devnet/network.ts";
import { buildAll } from "../../scripts/build.ts";
import { startControl } from "./control.ts";
import { performKill, startNode } from "./killer.ts";
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
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const say = options.json ? () => undefined : (line: string) => void process.stdout.write(`${line}\n`);
  try {
    await buildAll();
    const worker = await buildWithFailpoints(join(folder, "worker"));
    const network = await startNetwork({ stateDir: join(folder, "network") });
    stops.push(() => network.stop());
    const control = await startControl();
    stops.push(() => control.close());
    const stateDir = join(folder, "nodes");
    const parts = { network, control, stateDir, worker, models: MODELS, onLog: () => undefined };
    const nodes: EdgeNode[] = await Promise.all(NODES.map((index) => startNode(parts, index)));
    stops.push(() => Promise.all(nodes.map((node) => node.process.stop())));
    await untilLive(
      network,
      nodes.map(({ address }) => address),
    );

    const load = startLoad(network, nodes, MODELS);
    const recoveries: number[] = [];
    for (const [index, kill] of scheduleOf(options.seed, options.kills, NODES.length).entries()) {
      const { node, recoveryMs } = await performKill({ ...parts, nodes }, kill);
      recoveries.push(recoveryMs);
      say(
        `${index + 1}/${options.kills} ${kill.point?.name ?? "at random"}: node ${node + 1} back after ${recoveryMs} ms`,
      );
    }
    await load.finish();
    const findings = await verify(network, nodes, load, control);
    for (const violation of findings.violations) process.stderr.write(`${violation}\n`);
    report(options, findings, recoveries);
    return findings.violations.length === 0 && findings.jobs > 0 ? 0 : 1;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function report({ seed, kills, json }: Options, findings: Findings, recoveries: number[]): void {
  const { violations: _violations, ...counts } = findings;
  const sorted = recoveries.toSorted((a, b) => a - b);
  const p95 = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.95) - 1)] ?? 0;
  const line = { seed, kills, ...counts, recoverySecondsP95: Math.round(p95 / 100) / 10 };
  if (json) process.stdout.write(`${JSON.stringify(line)}\n`);
  else {
    process.stdout.write(
      `${kills} kills: ${counts.settled} of ${counts.jobs} claimed jobs settled, ${counts.lost} lost, ` +
        `${counts.doubleCommitments} double commitments, ${counts.doubleTransactions} double transactions; ` +
        `95 % of the restarts were heard within ${line.recoverySecondsP95} s (seed ${seed})\n`,
    );
  }
}

/** The release's sources with failpoints in: the only difference is one constant. */
async function buildWithFailpoints(outdir: string): Promise<string> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const args = [wrangler, "deploy", "--dry-run", "--define", "__FAILPOINTS__:true", "--outdir", outdir];
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" };
  await promisify(execFile)(process.execPath, args, { cwd: root, env });
  return join(outdir, "index.js");
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
