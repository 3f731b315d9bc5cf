/**
 * A user of the network (protocol §10), with a wallet of its own: seals a prompt, makes its key readable for a quorum, asks
 * for an inference, and opens the answer. It believes nobody: the commitment is computed anew from what it could open, equal
 * hashes are counted here, and the answer's key is the one that the chain has. Invariant: a wrong answer is never returned.
 */
import { type Address, bytesToHex, type Hex } from "viem";
import { promptKeyStoreAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { storeKeyCall } from "../../core/chain/calls.ts";
import { chainCall } from "../../core/chain/errors.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import { type Cofhe, createCofhe, type PermitStore } from "../../core/cofhe/client.ts";
import { openBlob, sealBlob } from "../../core/crypto/blob.ts";
import { commitment } from "../../core/crypto/commitment.ts";
import { joinKey, splitKey } from "../../core/crypto/key-halves.ts";
import { outputKeyStoreJobId } from "../../core/crypto/output-key-id.ts";
import { createIpfsDownloader, type IpfsDownloader } from "../../core/ipfs/download.ts";
import { type Clock, type Fetch, systemClock, systemRandom } from "../../core/ports.ts";
import type { Signer } from "../../core/signer.ts";
import { createTransactions, type Transactions } from "../transactions.ts";
import { type CoordinatorApi, createCoordinatorApi, type JobView, type QuorumPreview } from "./coordinator-api.ts";

export interface UserOptions {
  coordinatorUrl: string;
  chain: { rpcUrl: string; chainId?: number; promptKeyStore: Address };
  ipfsGatewayUrl: string;
  account: Signer;
  /** How often the job is looked at; 500 ms by default. */
  pollMs?: number;
  /** How long it is waited for; 10 minutes by default, a job's own deadline. */
  timeoutMs?: number;
  fetch?: Fetch;
  clock?: Clock;
}

export const USER_STEPS = [
  "preview",
  "encrypt-key",
  "store-key",
  "upload",
  "request",
  "wait",
  "download",
  "decrypt-key",
  "open",
] as const;
export type UserStep = (typeof USER_STEPS)[number];

export interface UserJob {
  modelId: string;
  prompt: string;
  /** 2 by default. */
  verifierCount?: number;
  /** Told when a step is done, with its milliseconds. */
  onStep?(step: UserStep, ms: number, job: { jobId: Hex }): void;
}

export interface UserResult {
  /** The coordinator's last word: `QUEUED` where the time ran out before it had one. */
  status: string;
  /** Null unless accepted. */
  answer: string | null;
  jobId: string;
  leader: Address;
  verifiers: Address[];
  /** Nodes, the leader included, with the leader's hash, counted here. */
  confirmations: number;
  commitmentHash: string | null;
  outputCid: string | null;
  outputKeyStoreTx: string | null;
  stepsMs: Partial<Record<UserStep, number>>;
}

export interface User {
  /** One job from end to end. Any number may run at once. Throws when a step fails or the answer does not hold. */
  runJob(job: UserJob): Promise<UserResult>;
}

const POLL_MS = 500;
const TIMEOUT_MS = 600_000;
const KEY_BYTES = 32;
const VERIFIERS = 2;
const FINAL = ["ACCEPTED", "REJECTED", "DISPUTED", "TIMEDOUT"];

interface Parts {
  options: UserOptions;
  api: CoordinatorApi;
  client: ChainClient;
  transactions: Transactions;
  cofhe: Cofhe;
  ipfs: IpfsDownloader;
  clock: Clock;
}

/** Jobs of one account share its nonces and its permit: run them through one user. */
export function createUser(options: UserOptions): User {
  const { account, chain, fetch = globalThis.fetch, clock = systemClock } = options;
  const { rpcUrl, chainId = DEVNET } = chain;
  const client = createChainClient({ rpcUrls: [rpcUrl], chainId });
  const parts: Parts = {
    options,
    api: createCoordinatorApi({ url: options.coordinatorUrl, fetch, clock }),
    client,
    transactions: createTransactions(client, account),
    cofhe: createCofhe({ chainId, rpcUrls: [rpcUrl], urls: NO_SERVICES, signer: account, permits: inMemory(), clock }),
    ipfs: createIpfsDownloader({ gateways: [options.ipfsGatewayUrl], fetch, clock }),
    clock,
  };
  return { runJob: (job) => runJob(parts, job) };
}

/** One job of a user that has no other. */
export function runUserJob(options: UserOptions & UserJob): Promise<UserResult> {
  return createUser(options).runJob(options);
}

async function runJob(parts: Parts, job: UserJob): Promise<UserResult> {
  const { api, clock } = parts;
  const taskId = bytesToHex(systemRandom(KEY_BYTES));
  const stepsMs: UserResult["stepsMs"] = {};
  const step = async <T>(name: UserStep, work: () => Promise<T>): Promise<T> => {
    const startedMs = clock.now();
    const value = await work();
    stepsMs[name] = clock.now() - startedMs;
    job.onStep?.(name, stepsMs[name], { jobId: taskId });
    return value;
  };

  const quorum = await step("preview", () => api.preview(job.modelId, job.verifierCount ?? VERIFIERS));
  const asked = await ask(parts, job, { taskId, quorum, step });
  const view = await step("wait", () => follow(parts, asked));
  const answer = view.status === "ACCEPTED" ? await openAnswer(parts, view, step) : null;
  return {
    status: view.status,
    answer,
    jobId: view.job_id,
    leader: view.leader_address,
    verifiers: view.verifier_addresses,
    confirmations: confirmationsOf(view),
    commitmentHash: view.commitment_hash,
    outputCid: view.output_cid,
    outputKeyStoreTx: view.output_key_store_tx,
    stepsMs,
  };
}

type RunStep = <T>(name: UserStep, work: () => Promise<T>) => Promise<T>;

/** Steps 1 to 4 of protocol §10. */
async function ask(
  { api, cofhe, transactions, client, options }: Parts,
  { modelId, prompt }: UserJob,
  { taskId, quorum, step }: { taskId: Hex; quorum: QuorumPreview; step: RunStep },
): Promise<JobView> {
  const { promptKeyStore } = options.chain;
  const key = systemRandom(KEY_BYTES);
  const { high, low } = splitKey(key);
  const keyInputs = await step("encrypt-key", () => cofhe.encryptUint128Pair(high, low));
  const allowed = [quorum.leader, ...quorum.verifiers];
  const call = storeKeyCall(promptKeyStore, { purpose: "a prompt key", storeJobId: taskId, ...keyInputs, allowed });
  const storeTx = await step("store-key", () => transactions.send(call));
  const promptCid = await step("upload", async () => api.upload(await sealBlob(prompt, key, systemRandom)));
  return step("request", async () => {
    const keyHandles = await storedHandles(client, promptKeyStore, taskId);
    const account = options.account.address;
    return api.request({ account, taskId, modelId, promptCid, keyHandles, keyInputs, storeTx, quorum });
  });
}

/** Polls until the coordinator's last word; one that does not answer for a while is asked again. */
async function follow({ api, clock, options }: Parts, asked: JobView): Promise<JobView> {
  const { pollMs = POLL_MS, timeoutMs = TIMEOUT_MS } = options;
  const deadlineMs = clock.now() + timeoutMs;
  let view = asked;
  while (!FINAL.includes(view.status) && clock.now() < deadlineMs) {
    await clock.sleep(pollMs);
    view = await api.job(asked.job_id).catch(() => view);
  }
  return view;
}

/** Step 5 of protocol §10, and the checks that make it worth something. */
async function openAnswer({ cofhe, client, ipfs, options }: Parts, view: JobView, step: RunStep): Promise<string> {
  const {
    output_cid: cid,
    commitment_hash: hash,
    encrypted_output_key_high: high,
    encrypted_output_key_low: low,
  } = view;
  if (cid === null || hash === null) throw new Error("the job is accepted and names no answer");
  const sealed = await step("download", () => ipfs.download(cid));
  const key = await step("decrypt-key", async () => {
    if (view.output_key_store_tx !== null) {
      const stored = await storedHandles(client, options.chain.promptKeyStore, outputKeyStoreJobId(view.job_id));
      if (stored.high !== high || stored.low !== low) throw new Error("the chain has another key for the answer");
    }
    return joinKey(await cofhe.decryptUint128(high), await cofhe.decryptUint128(low));
  });
  return step("open", async () => {
    const answer = await openBlob(sealed, key);
    if ((await commitment(cid, answer)) !== hash) throw new Error("the answer is not the one that was committed to");
    return answer;
  });
}

function confirmationsOf({ commitment_hash: hash, commitments }: JobView): number {
  const agreed = commitments.filter(({ commitment_hash }) => commitment_hash === hash);
  return new Set(agreed.map(({ node_address }) => node_address)).size;
}

async function storedHandles(client: ChainClient, promptKeyStore: Address, id: Hex) {
  const contract = { address: promptKeyStore, abi: promptKeyStoreAbi } as const;
  const [high, low] = await chainCall("reading a stored key", () =>
    client.readContract({ ...contract, functionName: "getEncryptedKey", args: [id] }),
  );
  return { high, low };
}

/** On the devnet's chain CoFHE is contracts; these are asked nothing. */
const NO_SERVICES = {
  coFheUrl: "http://127.0.0.1:9",
  verifierUrl: "http://127.0.0.1:9",
  thresholdNetworkUrl: "http://127.0.0.1:9",
};

function inMemory(): PermitStore {
  let kept: string | null = null;
  return {
    load: async () => kept,
    save: async (text) => {
      kept = text;
    },
  };
}
