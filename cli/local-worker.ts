/**
 * Runs the built Worker on this machine, in workerd through Miniflare, with persisted state and crons: the same bundle
 * that gets deployed. Invariants: state written to the folder survives a kill at any moment, and nothing is written
 * outside it.
 */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Miniflare } from "miniflare";
import { openFrontDoor } from "./front-door.ts";

/** As in wrangler.toml; a test keeps the two equal. */
export const WORKER = {
  name: "blindference-edge",
  compatibilityDate: "2026-11-01",
  compatibilityFlags: ["nodejs_compat"],
  durableObjects: { NODE: "Node", ASSIGNMENT: "Assignment" },
  database: "DB",
  rateLimits: {
    REQUEST_LIMIT: { namespace_id: "1001", simple: { limit: 1_000, period: 60 } },
    SIGN_IN_LIMIT: { namespace_id: "1002", simple: { limit: 20, period: 60 } },
  },
  cron: "* * * * *",
} as const;

/** Names the local database's files; any fixed id will do. */
const DATABASE_ID = "blindference-edge-history";
const MINUTE_MS = 60_000;
/** Under the state folder. Miniflare empties its own only when it stops in order. */
const TEMP = "tmp";
const TEMP_VARIABLES = ["TMPDIR", "TEMP", "TMP"];
/** workerd's own port: only the front door, which names the client, is the node's address. */
const BEHIND = { host: "127.0.0.1", port: 0 };

export interface LocalWorkerOptions {
  /** The built Worker; default: the one beside this program. */
  script?: string;
  stateDir: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Settings and secrets, as strings. */
  bindings: Record<string, string>;
  /** One line of the Worker's log. */
  onLog(line: string): void;
}

export interface LocalWorker {
  url: string;
  stop(): Promise<void>;
}

export async function startLocalWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  // First of all: where another node has the port, its folder is not touched.
  const door = await openFrontDoor(options.host, options.port);
  let miniflare: Miniflare | null = null;
  try {
    miniflare = await createMiniflare(options);
    door.leadTo(await miniflare.ready);
    const crons = await startCrons(miniflare);
    const running = miniflare;
    return {
      url: door.url,
      async stop() {
        crons.stop();
        await door.close();
        await running.dispose();
      },
    };
  } catch (error) {
    await door.close();
    await miniflare?.dispose().catch(() => undefined);
    throw error;
  }
}

async function createMiniflare(options: LocalWorkerOptions): Promise<Miniflare> {
  // As late as this: it takes most of a second to load, and only `run` needs it.
  const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = await import("miniflare");
  const temp = join(options.stateDir, TEMP);
  // What a node that was killed left behind.
  await rm(temp, { recursive: true, force: true });
  await mkdir(temp, { recursive: true });
  const script = options.script ?? fileURLToPath(new URL("./worker/index.js", import.meta.url));
  const settings = convertV4MiniflareOptions({
    name: WORKER.name,
    modules: [{ type: "ESModule", path: script }],
    // Module names are relative to the root, and workerd takes none from outside it, wherever we are started.
    modulesRoot: dirname(script),
    compatibilityDate: WORKER.compatibilityDate,
    compatibilityFlags: [...WORKER.compatibilityFlags],
    durableObjects: Object.fromEntries(
      Object.entries(WORKER.durableObjects).map(([binding, className]) => [binding, { className, useSQLite: true }]),
    ),
    d1Databases: { [WORKER.database]: DATABASE_ID },
    ratelimits: Object.fromEntries(
      Object.entries(WORKER.rateLimits).map(([name, limit]) => [name, { ...limit, simple: { ...limit.simple } }]),
    ),
    bindings: options.bindings,
    ...BEHIND,
    resourcePersistencePath: options.stateDir,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ message }) => options.onLog(message),
  });
  return withTempFolder(temp, () => new Miniflare(settings));
}

/** Miniflare chooses its temporary folder as it is made, and has no option for it: the environment decides. */
function withTempFolder<T>(folder: string, make: () => T): T {
  const before = TEMP_VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of TEMP_VARIABLES) process.env[name] = folder;
  try {
    return make();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Plays the platform's cron trigger: once at the start, then at every full minute. */
async function startCrons(miniflare: Miniflare): Promise<{ stop(): void }> {
  const worker = await miniflare.getWorker();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const fire = async () => {
    // A cron that fails shows in the Worker's own log; the next one comes all the same.
    await worker.scheduled({ cron: WORKER.cron }).catch(() => undefined);
  };
  const next = () => {
    if (stopped) return;
    timer = setTimeout(() => void fire().finally(next), MINUTE_MS - (Date.now() % MINUTE_MS));
  };
  void fire();
  next();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
