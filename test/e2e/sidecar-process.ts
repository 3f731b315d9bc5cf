/** The built sidecar as a process, and a Worker's client to it, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { systemClock, systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { createSidecarClient, type SidecarClient } from "../../core/sidecar/client.ts";
import { publicKeyOf } from "../../core/sidecar/keys.ts";

const program = fileURLToPath(new URL("../../dist/sidecar.js", import.meta.url));
const workerSeed = new Secret("11".repeat(32));
const sidecarSeed = new Secret("22".repeat(32));
const START_MS = 30_000;

export interface LogLine {
  level: string;
  event: string;
  [field: string]: unknown;
}

export interface SidecarProcess {
  url: string;
  client: SidecarClient;
  log: LogLine[];
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
  /** SIGTERM; gives the exit status. */
  stop(): Promise<number | null>;
}

/** What a Worker is told of a sidecar that holds the node's key: no secret of the node's. */
export async function workerSettings(url: string, address: string): Promise<Record<string, string>> {
  return {
    BLF_EXECUTOR: "sidecar",
    BLF_NODE_ADDRESS: address,
    BLF_SIDECAR_URL: url,
    BLF_SIDECAR_KEY_ID: "worker-1",
    BLF_SIDECAR_PRIVATE_KEY: workerSeed.reveal(),
    BLF_SIDECAR_PUBLIC_KEY: await publicKeyOf(sidecarSeed),
  };
}

/** Rejects with its log where it does not start. */
export async function startSidecarProcess(env: Readonly<Record<string, string>>): Promise<SidecarProcess> {
  const child = spawn(process.execPath, [program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH ?? "",
      BLF_SIDECAR_WORKER_KEYS: `worker-1=${await publicKeyOf(workerSeed)}`,
      BLF_SIDECAR_SIGNING_KEY: sidecarSeed.reveal(),
      BLF_SIDECAR_PORT: "0",
      ...env,
    },
  });
  const exited = once(child, "exit");
  const log: LogLine[] = [];
  const url = await ready(child, log);
  const client = createSidecarClient({
    url,
    key: { id: "worker-1", seed: workerSeed },
    sidecarKeys: [await publicKeyOf(sidecarSeed)],
    fetch,
    clock: systemClock,
    random: systemRandom,
  });
  const end = async (signal: "SIGKILL" | "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    url,
    client,
    log,
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
  };
}

function ready(child: ChildProcess, log: LogLine[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) =>
      reject(new Error(`the sidecar ${what}:\n${log.map((line) => JSON.stringify(line)).join("\n")}`));
    const timer = setTimeout(() => fail("did not start in time"), START_MS);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`ended (${code ?? signal})`);
    });
    if (child.stdout === null) return fail("has no output");
    createInterface({ input: child.stdout }).on("line", (text) => {
      const line = JSON.parse(text) as LogLine;
      log.push(line);
      if (line.event !== "sidecar.listening") return;
      clearTimeout(timer);
      resolve(String(line.url));
    });
  });
}
