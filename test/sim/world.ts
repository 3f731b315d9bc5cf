/**
 * A whole network in one process and in simulated time: any number of deployed nodes, two scripted peers that complete
 * their quorums, and the devnet's services, all over one real chain. While a world is open, Date, timers, fetch, the
 * console and WebCrypto are its own; `close` gives them back.
 */
import type { Address } from "viem";
import { vi } from "vitest";
import * as z from "zod";
import type { Clock } from "../../core/ports.ts";
import { DEV_ROLES, devAccount } from "../../devnet/chain/accounts.ts";
import type { CoordinatorSettings } from "../../devnet/coordinator/settings.ts";
import type { SimChain } from "./chain.ts";
import { NODES } from "./chain.ts";
import { Deployment, type DeploymentOptions, type LogLine } from "./deployment.ts";
import { createPeer, type Peer } from "./peer.ts";
import { provideTimingSafeEqual } from "./platform/compare.ts";
import { watchCrypto, working } from "./platform/idle.ts";
import { isDead, runningOwner } from "./platform/objects.ts";
import { serviceClock, startTime, stopTime, until } from "./platform/time.ts";
import { createServices, type Services } from "./services.ts";

export interface WorldOptions {
  chain: SimChain;
  /** The services' clock, apart from the nodes', ms. */
  offsetMs?: number;
  coordinator?: Partial<CoordinatorSettings>;
  /** How much the local model's context holds. */
  contextTokens?: number;
}

export interface Ask {
  node: Deployment;
  role: "leader" | "verifier";
  modelId: string;
  /** Default: the simulation's sealed prompt. */
  promptCid?: string;
}

/** How often the peers look whether a leader has spoken. */
const PEERS_LOOK_MS = 1_000;
const PEERS_BEAT_MS = 60_000;

const created = z.object({ job_id: z.string() });

export class World {
  readonly services: Services;
  readonly nodes: Deployment[] = [];
  readonly peers: readonly [Peer, Peer];
  /** Of the services. */
  readonly clock: Clock;
  readonly #chain: SimChain;
  readonly #undo: (() => void)[] = [];
  readonly #leading: { jobId: string; peer: Peer }[] = [];
  offsetMs: number;

  private constructor({ chain, offsetMs = 0, coordinator = {}, contextTokens }: WorldOptions) {
    this.#chain = chain;
    this.offsetMs = offsetMs;
    startTime();
    this.clock = serviceClock(() => this.offsetMs);
    this.services = createServices(chain, this.clock, {
      coordinator,
      completions: contextTokens === undefined ? {} : { contextTokens },
    });
    vi.stubGlobal("fetch", this.services.fetch);
    const console = vi
      .spyOn(globalThis.console, "log")
      .mockImplementation((line: unknown) => this.#heard(String(line)));
    this.#undo.push(
      watchCrypto(),
      provideTimingSafeEqual(),
      () => console.mockRestore(),
      () => vi.unstubAllGlobals(),
      stopTime,
    );
    const { urls } = this.services.doors(NODES);
    const peer = (index: number) =>
      createPeer({
        index,
        iclUrl: urls.icl,
        fetch: this.services.fetch,
        clock: this.clock,
        store: this.services.ipfs.store,
      });
    this.peers = [peer(NODES - 1), peer(NODES - 2)];
  }

  static async open(options: WorldOptions): Promise<World> {
    const world = new World(options);
    world.services.coordinator.start();
    await world.services.ipfs.store.add(options.chain.sealedPrompt);
    const timers = [
      setInterval(() => void working(() => world.#answerLeaders()), PEERS_LOOK_MS),
      setInterval(() => void world.#beat(), PEERS_BEAT_MS),
    ];
    world.#undo.push(() => timers.forEach(clearInterval));
    return world;
  }

  /** Deploys a node. It lives from its first cron event on, which is sent at once. */
  deploy(options: DeploymentOptions): Deployment {
    const node = new Deployment(this.#chain, this.services.doors(options.index), options);
    this.nodes.push(node);
    void node.cron();
    return node;
  }

  /** Resolves once these nodes are live at the coordinator, and their first duties done. */
  async untilLive(nodes: readonly Deployment[] = this.nodes): Promise<void> {
    await until(
      "every node to be live",
      () => nodes.every((node) => node.isLive(this.services.coordinator)) || undefined,
    );
  }

  /** The peers attest for these models. Twice does no harm. */
  async joinPeers(models: readonly string[]): Promise<void> {
    for (const peer of this.peers) await working(() => peer.join(models));
  }

  /** Forgets a node that is disposed of. */
  release(node: Deployment): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** A user's job with the node in this role. The rest of the quorum is scripted and honest. */
  async ask({ node, role, modelId, promptCid }: Ask): Promise<string> {
    const [one, other] = this.peers;
    const members =
      role === "leader" ? [node.address, one.address, other.address] : [one.address, node.address, other.address];
    const cid = promptCid ?? (await this.services.ipfs.store.add(this.#chain.sealedPrompt));
    const jobId = await this.#request(members, modelId, cid);
    if (role === "verifier") await one.lead(jobId, modelId);
    else this.#leading.push({ jobId, peer: one });
    return jobId;
  }

  /** The coordinator's record of a job. */
  view(jobId: string) {
    const job = this.services.coordinator.stats().jobs.find((one) => one.job_id === jobId);
    if (job === undefined) throw new Error(`the coordinator has no job ${jobId}`);
    return job;
  }

  close(): void {
    for (const node of this.nodes) node.dispose();
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  async #request(members: readonly Address[], modelId: string, promptCid: string): Promise<string> {
    const { high, low } = this.#chain.promptKey;
    const [leader, ...verifiers] = members;
    const body = {
      developer_address: devAccount(DEV_ROLES.user).address,
      mode: "text",
      model_id: modelId,
      text_request: {
        prompt_cid: promptCid,
        encrypted_prompt_key: { high: String(high), low: String(low) },
        model_id: modelId,
      },
      leader_address: leader,
      verifier_addresses: verifiers,
      verifier_count: verifiers.length,
    };
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const reply = await this.services.coordinator.app.request("/v1/inference/requests", init);
    const text = await reply.text();
    if (reply.status !== 200) throw new Error(`the job was not taken: ${reply.status} ${text}`);
    return created.parse(JSON.parse(text)).job_id;
  }

  async #beat(): Promise<void> {
    for (const peer of this.peers) await working(() => peer.heartbeat()).catch(() => undefined);
  }

  /** Has the peers answer the leaders that have spoken. */
  async #answerLeaders(): Promise<void> {
    for (const waiting of this.#leading.splice(0)) {
      const hash = this.view(waiting.jobId).members[0]?.commitment?.hash;
      if (hash === undefined) {
        this.#leading.push(waiting);
        continue;
      }
      // A job that is over by then needs no word of theirs.
      await waiting.peer.verify(waiting.jobId, hash).catch(() => undefined);
    }
  }

  #heard(line: string): void {
    if (isDead()) return;
    const owner = runningOwner();
    const node = this.nodes.find((one) => one.owner === owner);
    if (node === undefined || !line.startsWith("{")) return;
    node.log.push(JSON.parse(line) as LogLine);
  }
}
