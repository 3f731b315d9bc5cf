/**
 * A coordinator for tests, on fakes that behave: a clock that stands still, a chain that remembers what was stored and
 * committed, a payment service that remembers whom it paid. Nodes here sign by hand, through core's `authHeaders`.
 */
import { type Address, type Hex, keccak256, toHex } from "viem";
import { createMockAttester } from "../../core/attestation/mock.ts";
import { outputKeyStoreJobId } from "../../core/crypto/output-key-id.ts";
import { authHeaders } from "../../core/icl/sign.ts";
import { ok, refuse } from "../../core/result.ts";
import type { Signer } from "../../core/signer.ts";
import { devAccount } from "../chain/accounts.ts";
import { type CoordinatorOptions, createCoordinator } from "./coordinator.ts";
import type {
  ChainPort,
  CommittedRejection,
  CommittedResult,
  KeyHandles,
  OutputKeyClaim,
  SettledJob,
} from "./ports.ts";

export const NOW_SEC = 1_900_000_000;
export const MODEL = "groq:llama-3.3-70b-versatile";
/** 77 digits, which a double cannot hold. */
export const PROMPT_KEY: KeyHandles = {
  high: BigInt(`1234567${"8901234567".repeat(7)}`),
  low: BigInt(`7654321${"0123456789".repeat(7)}`),
};
export const OUTPUT_KEY: KeyHandles = { high: 3n ** 160n, low: 5n ** 109n };
export const PROMPT_CID = "bafkreif5r4yzqfj75h4gvrvdbaxh24iio2ab25jykfmdekhqyluhkjc64i";
export const OUTPUT_CID = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
export const USER = devAccount(3);

export class FakeClock {
  ms = NOW_SEC * 1_000;
  readonly now = () => this.ms;
  readonly sleep = async (ms: number) => this.advanceSec(ms / 1_000);
  advanceSec(seconds: number): void {
    this.ms += seconds * 1_000;
  }
}

/** What `storeKey` left on chain in a transaction. */
export interface StoredKey extends OutputKeyClaim {
  status: "success" | "reverted";
}

/** Remembers failures, outcomes and stored keys. `broken` makes every call fail, as an RPC outage does. */
export class FakeChain implements ChainPort {
  broken = false;
  readonly promptKeys = new Map<Hex, KeyHandles>();
  readonly stored = new Map<Hex, StoredKey>();
  readonly failures = new Map<Address, number>();
  readonly results: CommittedResult[] = [];
  readonly rejections: CommittedRejection[] = [];
  #transactions = 0;

  async readPromptKey(taskId: Hex) {
    this.#reach();
    return this.promptKeys.get(taskId) ?? { high: 0n, low: 0n };
  }
  async recordFailure(node: Address) {
    this.#reach();
    this.failures.set(node, (this.failures.get(node) ?? 0) + 1);
    return this.#transaction();
  }
  async resetFailures(node: Address) {
    this.#reach();
    return this.failures.delete(node) ? this.#transaction() : null;
  }
  async commitResult(result: CommittedResult) {
    this.#reach();
    this.results.push(result);
    return this.#transaction();
  }
  async commitRejection(rejection: CommittedRejection) {
    this.#reach();
    this.rejections.push(rejection);
    return this.#transaction();
  }
  async verifyOutputKeyTx(claim: OutputKeyClaim) {
    this.#reach();
    const stored = this.stored.get(claim.tx);
    if (stored === undefined) return refuse("is not mined");
    const { status, ...rest } = stored;
    if (status !== "success") return refuse("has reverted");
    const text = (one: OutputKeyClaim) =>
      JSON.stringify([one.storeJobId, one.leader, one.user, `${one.handles.high}`, `${one.handles.low}`]);
    return text(rest) === text(claim) ? ok(null) : refuse("stored something else");
  }
  #transaction(): Hex {
    this.#transactions += 1;
    return keccak256(toHex(this.#transactions));
  }
  #reach(): void {
    if (this.broken) throw new Error("the fake chain is down");
  }
}

export interface Reply {
  status: number;
  text: string;
  json: Record<string, unknown>;
}

export function createRig(options: Partial<CoordinatorOptions> = {}) {
  const clock = new FakeClock();
  const chain = new FakeChain();
  const paid: SettledJob[] = [];
  const coordinator = createCoordinator({
    chain,
    ipfs: { add: async () => PROMPT_CID },
    payment: { pay: async (job) => void paid.push(structuredClone(job)) },
    clock,
    ...options,
  });
  const rig = {
    clock,
    chain,
    paid,
    coordinator,
    async send(path: string, init: RequestInit = {}): Promise<Reply> {
      const answer = await coordinator.app.request(path, init);
      const text = await answer.text();
      return { status: answer.status, text, json: JSON.parse(text) as Record<string, unknown> };
    },
    node: (index: number) => createTestNode(rig, devAccount(4 + index)),
  };
  return rig;
}
export type Rig = ReturnType<typeof createRig>;
export type TestNode = ReturnType<typeof createTestNode>;

function createTestNode(rig: Pick<Rig, "send" | "clock">, account: Signer) {
  const node = account.address;
  const call = async (path: string, body?: unknown): Promise<Reply> => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = await authHeaders(account, text, Math.floor(rig.clock.now() / 1_000));
    return rig.send(path, body === undefined ? { headers } : { method: "POST", headers, body: text });
  };
  const challenge = () => call(`/internal/challenge/${node}`);
  return {
    account,
    address: node,
    call,
    challenge,
    heartbeat: () =>
      call("/internal/heartbeat", { nodeAddress: node, timestamp: String(Math.floor(rig.clock.now() / 1_000)) }),
    async attest(models: readonly string[] = [MODEL]): Promise<Reply> {
      const { challengeId, nonce } = (await challenge()).json;
      return call("/internal/attestation/verify", await evidence(node, String(challengeId), nonce as Hex, models));
    },
    assignments: async () =>
      (await call(`/internal/assignments/${node}`)).json.assignments as Record<string, unknown>[],
    claim: (jobId: string) => call("/internal/task/claim", { jobId, nodeAddress: node }),
    result: (jobId: string, hash: string, more: object = {}) =>
      call("/internal/task/result", {
        jobId,
        output_cid: OUTPUT_CID,
        commitment_hash: hash,
        encrypted_output_key_high: String(OUTPUT_KEY.high),
        encrypted_output_key_low: String(OUTPUT_KEY.low),
        ...more,
      }),
    verdict: (jobId: string, hash: string, verdict: "CONFIRM" | "REJECT" = "CONFIRM", confidence: unknown = 100) =>
      call("/internal/task/verify", { jobId, verifier_address: node, commitment_hash: hash, verdict, confidence }),
    status: (jobId: string) => call(`/internal/jobs/${jobId}/status`),
  };
}

/** An attestation as the mock backend makes it. */
export async function evidence(node: Address, challengeId: string, nonce: Hex, models: readonly string[] = [MODEL]) {
  const bytes = Uint8Array.from(Buffer.from(nonce.replace(/^0x/, ""), "hex"));
  const quote = await createMockAttester().quote(bytes, { node, challengeId });
  return { nodeAddress: node, backendType: "mock", ...quote, challengeId, supportedModelIds: models };
}

/** A digest that stands for an answer. */
export function hashOf(answer: string): string {
  return keccak256(toHex(answer)).slice(2);
}

/** Attested nodes and one job of theirs, led by the first. */
export async function rigWithJob(options: Partial<CoordinatorOptions> = {}, nodeCount = 3) {
  const rig = createRig(options);
  const nodes = Array.from({ length: nodeCount }, (_, index) => rig.node(index));
  for (const node of nodes) await node.attest();
  const jobId = keccak256(toHex("task"));
  rig.chain.promptKeys.set(jobId, PROMPT_KEY);
  const created = await rig.send(
    "/v1/inference/requests",
    jsonPost(
      requestBody(
        jobId,
        nodes.map(({ address }) => address),
      ),
    ),
  );
  if (created.status !== 200) throw new Error(`the job was refused: ${created.text}`);
  const [leader, first, second] = nodes as [TestNode, TestNode, TestNode];
  return { ...rig, nodes, leader, first, second, jobId };
}

export function requestBody(taskId: string | null, members: readonly Address[], more: object = {}) {
  const [leader, ...verifiers] = members;
  return {
    developer_address: USER.address,
    task_id: taskId,
    mode: "text",
    model_id: MODEL,
    text_request: {
      prompt_cid: PROMPT_CID,
      encrypted_prompt_key: { high: String(PROMPT_KEY.high), low: String(PROMPT_KEY.low) },
      model_id: MODEL,
      coverage_enabled: false,
    },
    leader_address: leader,
    verifier_addresses: verifiers,
    min_tier: 0,
    verifier_count: verifiers.length,
    metadata: { prompt_key_store_tx: keccak256("0x01") },
    ...more,
  };
}

export function jsonPost(body: unknown): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** Puts the leader's output key on the fake chain and gives its transaction. */
export function storeOutputKey(
  rig: Pick<Rig, "chain">,
  jobId: string,
  leader: Address,
  more: Partial<StoredKey> = {},
): Hex {
  const tx = keccak256(toHex(`store ${jobId}`));
  const storeJobId = outputKeyStoreJobId(jobId);
  rig.chain.stored.set(tx, {
    tx,
    storeJobId,
    leader,
    user: USER.address,
    handles: OUTPUT_KEY,
    status: "success",
    ...more,
  });
  return tx;
}
