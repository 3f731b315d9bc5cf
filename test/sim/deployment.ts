/**
 * One deployed Worker: the real Node and Assignment classes and the real cron handler on simulated objects, a D1 of its
 * own, and settings as an operator gives them. `crash` ends its process at this moment; the next call or alarm finds
 * what was stored, and nothing else.
 */
import type { Address, Hex } from "viem";
import type { Job } from "../../core/jobs/job.ts";
import { devAccount, devPrivateKey, nodeIndex } from "../../devnet/chain/accounts.ts";
import type { Coordinator } from "../../devnet/coordinator/coordinator.ts";
import { modelSettings, networkSettings } from "../../devnet/network.ts";
import type { Env } from "../../workers/env.ts";
import worker, { Assignment, Node } from "../../workers/index.ts";
import { assignmentName } from "../../workers/objects/names.ts";
import type { SimChain } from "./chain.ts";
import { SimD1 } from "./platform/d1.ts";
import { SimObjects } from "./platform/objects.ts";
import { textOf } from "./platform/storage.ts";
import type { Doors } from "./services.ts";

const CRON_MS = 60_000;
const ADMIN_TOKEN = "an-operator-s-token";

export interface DeploymentOptions {
  /** The n-th node, from 0: decides its account. */
  index: number;
  models: readonly string[];
  /** Further settings; they win. */
  settings?: Record<string, string>;
}

export interface LogLine {
  owner: string;
  level: string;
  event: string;
  [field: string]: unknown;
}

/** Two deployments may have one address. */
let deployments = 0;

export class Deployment {
  readonly address: Address;
  readonly owner: string;
  readonly doors: Doors;
  readonly nodes: SimObjects;
  readonly assignments: SimObjects;
  readonly d1 = new SimD1();
  readonly log: LogLine[] = [];
  readonly #settings: Record<string, string>;
  /** Rows as last read: tests look after every moment. */
  readonly #jobs = new Map<string, { name: string; version: number; job: Job | undefined }>();
  #env: Env;
  #cron: ReturnType<typeof setInterval>;

  constructor(chain: SimChain, doors: Doors, options: DeploymentOptions) {
    this.address = devAccount(nodeIndex(options.index)).address;
    deployments += 1;
    this.owner = `${this.address} ${deployments}`;
    this.doors = doors;
    this.#settings = settingsFor(chain, doors, options);
    this.nodes = new SimObjects(this.owner, (ctx) => new Node(ctx as DurableObjectState, this.#env));
    this.assignments = new SimObjects(this.owner, (ctx) => new Assignment(ctx as DurableObjectState, this.#env));
    this.#env = this.#newEnv();
    this.#cron = setInterval(() => void this.cron(), CRON_MS);
  }

  /** A cron event, as the platform sends one each minute. */
  async cron(): Promise<void> {
    await worker.scheduled({} as ScheduledController, this.#env);
  }

  /** Ends the process, all objects with it. What was armed goes on firing. */
  crash(): void {
    this.nodes.kill();
    this.assignments.kill();
    // A new process shares nothing with the old one, not even what is remembered by environment.
    this.#env = this.#newEnv();
  }

  /** What the operator's API answers to a GET. */
  async fetch(path: string): Promise<unknown> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const request = new Request(`http://node.test${path}`, { headers }) as Parameters<typeof worker.fetch>[0];
    const reply = await worker.fetch(request, this.#env, { waitUntil: () => undefined } as unknown as ExecutionContext);
    return reply.json();
  }

  /** The node's object, as a route calls it. */
  node() {
    return this.#env.NODE.getByName(this.address);
  }

  /** The job's row as stored, or undefined. */
  job(jobId: string): Job | undefined {
    const known = this.#jobs.get(jobId);
    const name = known?.name ?? assignmentName(this.address, jobId);
    if (!this.assignments.has(name)) return undefined;
    const storage = this.assignments.storage(name);
    if (known?.version === storage.version) return known.job;
    const [row] = storage.query("SELECT json FROM job");
    const job = row === undefined ? undefined : (JSON.parse(textOf(row.json)) as Job);
    this.#jobs.set(jobId, { name, version: storage.version, job });
    return job;
  }

  /** Jobs that hold a slot. */
  slotsHeld(): string[] {
    return this.#rows("SELECT job_id FROM jobs WHERE open = 1").map(({ job_id }) => textOf(job_id));
  }

  /** What the guard has recorded, by job. */
  commitments(): { jobId: string; commitment: string }[] {
    return this.#rows("SELECT job_id, commitment FROM commitments").map((row) => {
      return { jobId: textOf(row.job_id), commitment: textOf(row.commitment) };
    });
  }

  /** The account's transactions, oldest first. */
  transactions(): Record<string, unknown>[] {
    return this.#rows("SELECT purpose, state, hash FROM transactions ORDER BY seq");
  }

  /** A table of the history. */
  history(table: string): Record<string, unknown>[] {
    return this.d1.has(table) ? this.d1.query(`SELECT * FROM ${table}`) : [];
  }

  /** A document of the node's store. */
  document(name: string): unknown {
    const [row] = this.#rows(`SELECT json FROM documents WHERE name = '${name}'`);
    return row === undefined ? null : (JSON.parse(textOf(row.json)) as unknown);
  }

  /** Whether the coordinator would select this node; with a model, for it. */
  isLive(coordinator: Coordinator, model?: string): boolean {
    return coordinator
      .stats()
      .nodes.some(
        ({ address, live, models }) =>
          live && address === this.address && (model === undefined || models.includes(model)),
      );
  }

  dispose(): void {
    clearInterval(this.#cron);
    this.nodes.dispose();
    this.assignments.dispose();
  }

  #rows(sql: string) {
    return this.nodes.storage(this.address).query(sql);
  }

  #newEnv(): Env {
    return {
      NODE: this.nodes as unknown as Env["NODE"],
      ASSIGNMENT: this.assignments as unknown as Env["ASSIGNMENT"],
      DB: this.d1.connection() as unknown as Env["DB"],
      ...this.#settings,
    };
  }
}

function settingsFor(chain: SimChain, { urls }: Doors, { index, models, settings }: DeploymentOptions) {
  const served = {
    groq: `${urls.groq}/openai/v1`,
    gemini: `${urls.gemini}/v1beta`,
    openai: `${urls.openai}/v1`,
  };
  const privateKey: Hex = devPrivateKey(nodeIndex(index));
  return {
    BLF_PRIVATE_KEY: privateKey,
    BLF_STORAGE_KEY: "5a".repeat(32),
    ...networkSettings(
      { ...urls, nodeRpc: urls.rpc, pinata: urls.pin, ipfsGateway: `${urls.ipfs}/ipfs` },
      chain.chainId,
      chain.contracts,
    ),
    ...modelSettings({ urls: served }, "groq"),
    ...modelSettings({ urls: served }, "gemini"),
    ...modelSettings({ urls: served }, "openai"),
    BLF_MODELS: models.join(","),
    BLF_COPY_CHECK_SECONDS: "0",
    BLF_ADMIN_TOKEN: ADMIN_TOKEN,
    ...settings,
  };
}
