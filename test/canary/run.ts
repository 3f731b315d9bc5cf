/**
 * One canary run: a network whose nodes reach every service but the models' through recorders, users with markers in
 * prompts and answers, and faults at every step. It collects the secrets that there were and the places where they could
 * have gone; it judges nothing.
 */
import { join } from "node:path";
import type { Hex } from "viem";
import { promptKeyStoreAbi } from "../../core/chain/abi.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { createCofhe } from "../../core/cofhe/client.ts";
import { joinKey } from "../../core/crypto/key-halves.ts";
import { sha256Hex } from "../../core/crypto/sha256.ts";
import { GUARD_FORMAT, GUARD_VERSION } from "../../core/node/guard-interchange.ts";
import { systemClock } from "../../core/ports.ts";
import { DEV_ROLES, devAccount, nodeIndex } from "../../devnet/chain/accounts.ts";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import { modelAnswer } from "../../devnet/models/answer.ts";
import type { LocalNetwork } from "../../devnet/network.ts";
import { createUser, type User, type UserResult } from "../../devnet/user/user.ts";
import { type Rig, startRig } from "../e2e/rig.ts";
import { eventually } from "../eventually.ts";
import { MOCK_VERIFIER } from "./exceptions.ts";
import { BACKENDS, type CanaryJob, ECHO, JOB_ID, LEADER, OVER, type Service } from "./jobs.ts";
import { folderPlaces } from "./places.ts";
import { type Recorders, startReach } from "./reach.ts";
import type { Place, Secret } from "./search.ts";
import { keySecrets, outputKeys } from "./secrets.ts";
import { token } from "./token.ts";
import type { Recorder } from "./traffic.ts";

export interface Sent {
  job: CanaryJob;
  prompt: string;
  /** What the devnet's model says to it. */
  answer: string;
  secrets: Secret[];
  jobId: Promise<string>;
  result: Promise<UserResult | Error>;
}

export interface CanaryRun {
  rig: Rig;
  recorders: Recorders;
  /** Sends the jobs at once, with their faults armed, and has the nodes look for them. */
  round(jobs: readonly CanaryJob[]): Promise<Sent[]>;
  /** Takes all faults back once these jobs are over everywhere: a late node must still meet them. */
  calm(over: readonly Sent[]): Promise<void>;
  /** Ends these jobs everywhere, takes all faults back, and has the nodes do one job well, which they need after failures. */
  recover(failed: readonly Sent[]): Promise<Sent[]>;
  /** Waits for the log to say that some node's part of the job came to this. */
  untilEnd(sent: Sent, end: { code: string } | { outcome: string }): Promise<void>;
  folders(): Promise<Place[]>;
  folderOf(node: EdgeNode): string;
  stop(): Promise<void>;
}

const SERVICES = ["icl", "ipfs", "rpc", "groq", "gemini", "openai"] as const satisfies Service[];
const RECOVERY: CanaryJob = { name: "mock recovers", backend: "mock", faults: [] };

/** A follower may sleep for ten seconds between two looks, and a machine be slow. */
const OVER_TIMEOUT_MS = 60_000;

/** Longer than any round on a slow machine. */
const USER_TIMEOUT_MS = 150_000;

export async function startRun(): Promise<CanaryRun> {
  const reach = await startReach();
  const rig = await startRig({
    models: Object.values(BACKENDS),
    env: (network) => reach.settings(network),
  }).catch(async (error: unknown) => {
    await reach.close();
    throw error;
  });
  const user = userOf(rig.network);
  const folderOf = (node: EdgeNode) => join(rig.stateDir, `node-${node.index + 1}`);
  const tell = (command: "pause" | "resume" | "poll") =>
    Promise.all(rig.nodes.map((node) => node.api(`/api/${command}`, { method: "POST" })));
  const calm = async (over: readonly Sent[]) => {
    for (const { jobId } of over) {
      // After a failure a node leaves an offer alone until it is resumed; it is to meet the fault before that is gone.
      await untilOver(rig, await jobId, async () => {
        await tell("resume");
        await tell("poll");
      });
    }
    await Promise.all(SERVICES.map((service) => fetch(faultsUrl(rig.network, service), { method: "DELETE" })));
  };
  const round = async (jobs: readonly CanaryJob[]) => {
    // All offers in one poll: were one job to fail before the next is seen, the node would leave that one alone.
    await tell("pause");
    const sent = await Promise.all(jobs.map((job) => send(user, job)));
    for (const one of sent) await prepare(rig, one);
    await tell("resume");
    await tell("poll");
    return sent;
  };
  return {
    rig,
    recorders: reach.recorders,
    folderOf,
    round,
    calm,
    async recover(failed) {
      // What still waits for a leader or a verdict that will not come would count as a job at hand for minutes.
      await arm(rig.network, "icl", OVER);
      await calm(failed);
      const sent = await round([RECOVERY]);
      for (const { jobId } of sent) await untilOver(rig, await jobId);
      return sent;
    },
    async untilEnd(sent, end) {
      const jobId = await sent.jobId;
      const wanted = { event: "code" in end ? "job.failed" : "job.settled", jobId, ...end };
      await eventually(`${JSON.stringify(end)} of a job in which ${sent.job.name}`, () =>
        rig.log.find(({ line }) => Object.entries(wanted).every(([field, value]) => line[field] === value)),
      );
    },
    async folders() {
      const all = await Promise.all(rig.nodes.map((node) => folderPlaces(node.process.name, folderOf(node))));
      return all.flat();
    },
    async stop() {
      await rig.stop();
      await reach.close();
    },
  };
}

/** Every node has done its part of the job, or failed at it. Meanwhile it is told to go on, by `urge`. */
async function untilOver({ log, nodes }: Rig, jobId: string, urge?: () => Promise<void>): Promise<void> {
  const over = ["job.settled", "job.failed"];
  await eventually(
    `the end of ${jobId} at every node`,
    async () => {
      const told = log.filter(({ line }) => line.jobId === jobId && over.includes(line.event)).map(({ node }) => node);
      if (new Set(told).size === nodes.length) return true;
      await urge?.();
      return undefined;
    },
    OVER_TIMEOUT_MS,
  );
}

async function send(user: User, job: CanaryJob): Promise<Sent> {
  const [head, tail] = [token(), token()];
  const prompt = `Canary ${head} says "çà" & more:\nand at last, past the words that an answer repeats, ${tail}`;
  const answer = await answerTo(BACKENDS[job.backend], prompt);
  let tellId: (jobId: string) => void = () => undefined;
  const jobId = new Promise<string>((resolve) => {
    tellId = resolve;
  });
  const onStep = (step: string, _ms: number, { jobId: id }: { jobId: string }) => step === "request" && tellId(id);
  const result = user
    .runJob({ modelId: BACKENDS[job.backend], prompt, onStep })
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  const secrets = [
    { name: `prompt (${job.name})`, value: prompt },
    { name: `prompt's head (${job.name})`, value: head },
    { name: `prompt's tail (${job.name})`, value: tail },
    { name: `answer (${job.name})`, value: answer.text },
    { name: `answer's tag (${job.name})`, value: answer.tag },
  ];
  return { job, prompt, answer: answer.text, secrets, jobId, result };
}

async function answerTo(modelId: string, prompt: string): Promise<{ text: string; tag: string }> {
  if (modelId.startsWith("mock:")) {
    const tag = await sha256Hex(`${modelId}:${prompt}`);
    return { text: `MOCK_OUTPUT_${tag}`, tag };
  }
  const text = await modelAnswer(modelId.replace(/^(groq|gemini):/, ""), prompt);
  const tag = /Answer ([0-9a-f]+):/.exec(text)?.[1];
  if (tag === undefined) throw new Error("the devnet's models answer differently now");
  return { text, tag };
}

/** Arms a job's faults and tells its nodes what they need to know, while none of them may claim it yet. */
async function prepare({ network, nodes }: Rig, { job, prompt, ...sent }: Sent): Promise<void> {
  const jobId = await sent.jobId;
  const leader = network.coordinator.stats().jobs.find((one) => one.job_id === jobId)?.leader_address ?? "";
  const said = { [ECHO]: prompt, [JOB_ID]: jobId, [LEADER]: leader };
  for (const { service, fault } of job.faults) await arm(network, service, fault, said);
  if (job.committedElsewhere !== true) return;
  const commitment = { jobId, role: "leader", commitment: `${token()}${token()}`.slice(0, 64), outputCid: "elsewhere" };
  for (const node of nodes) {
    await node.api("/api/guard", {
      method: "PUT",
      body: {
        metadata: { format: GUARD_FORMAT, version: GUARD_VERSION },
        data: [{ node: node.address, commitments: [{ ...commitment, at: Date.now() }] }],
      },
    });
  }
}

async function arm(
  network: LocalNetwork,
  service: Service,
  fault: object,
  said: Readonly<Record<string, string>> = {},
): Promise<void> {
  const body = Object.entries(said).reduce(
    (text, [word, meaning]) => text.replaceAll(word, () => JSON.stringify(meaning).slice(1, -1)),
    JSON.stringify(fault),
  );
  const reply = await fetch(faultsUrl(network, service), { method: "POST", body });
  if (!reply.ok) throw new Error(`${service} took no fault: ${await reply.text()}`);
}

/** The service itself, not its recorder. */
function faultsUrl({ urls }: LocalNetwork, service: Service): string {
  const url = service === "ipfs" ? urls.pinata : service === "rpc" ? urls.nodeRpc : urls[service];
  return `${new URL(url).origin}/devnet/faults`;
}

function userOf({ urls, chainId, contracts }: LocalNetwork): User {
  return createUser({
    coordinatorUrl: urls.icl,
    chain: { rpcUrl: urls.rpc, chainId, promptKeyStore: contracts.promptKeyStore },
    ipfsGatewayUrl: urls.ipfsGateway,
    account: devAccount(DEV_ROLES.user),
    timeoutMs: USER_TIMEOUT_MS,
  });
}

/** The prompt keys of the jobs, as a node that was allowed to reads them; not over any recorder. */
export async function promptKeySecrets({ network, nodes }: Rig, jobIds: readonly string[]): Promise<Secret[]> {
  const { chainId, urls, contracts } = network;
  const signer = devAccount(nodeIndex(nodes[0]?.index ?? 0));
  let permit: string | null = null;
  const permits = {
    load: async () => permit,
    save: async (text: string) => {
      permit = text;
    },
  };
  const none = { coFheUrl: urls.rpc, verifierUrl: urls.rpc, thresholdNetworkUrl: urls.rpc };
  const cofhe = createCofhe({ chainId, rpcUrls: [urls.rpc], urls: none, signer, permits, clock: systemClock });
  const client = createChainClient({ rpcUrls: [urls.rpc], chainId });
  const read = async (jobId: string, at: number) => {
    const args = [jobId as Hex] as const;
    const contract = {
      address: contracts.promptKeyStore,
      abi: promptKeyStoreAbi,
      functionName: "getEncryptedKey",
    } as const;
    const [high, low] = await client.readContract({ ...contract, args });
    const key = joinKey(await cofhe.decryptUint128(high), await cofhe.decryptUint128(low));
    return keySecrets(`prompt key ${at + 1}`, key);
  };
  const all: Secret[] = [];
  for (const [at, jobId] of jobIds.entries()) all.push(...(await read(jobId, at)));
  return all;
}

/** Every output key that a node had encrypted in this run. */
export function outputKeySecrets(rpc: Recorder): { keys: Uint8Array[]; secrets: Secret[] } {
  const keys = outputKeys(rpc.requests(new RegExp(`^eth_sendTransaction→${MOCK_VERIFIER}#`)));
  return { keys, secrets: keys.flatMap((key, at) => keySecrets(`output key ${at + 1}`, key)) };
}
