import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "viem";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { attest } from "../../core/attestation/attest.ts";
import { createMockAttester } from "../../core/attestation/mock.ts";
import { storeKeyCall } from "../../core/chain/calls.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { createCofhe } from "../../core/cofhe/client.ts";
import { openBlob, sealBlob } from "../../core/crypto/blob.ts";
import { commitment } from "../../core/crypto/commitment.ts";
import { joinKey, splitKey } from "../../core/crypto/key-halves.ts";
import { outputKeyStoreJobId } from "../../core/crypto/output-key-id.ts";
import { createIclClient } from "../../core/icl/client.ts";
import type { Assignment } from "../../core/icl/schema.ts";
import { createIpfsDownloader } from "../../core/ipfs/download.ts";
import { createPinner } from "../../core/ipfs/pin.ts";
import { systemClock, systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { DEV_ROLES, devAccount, nodeIndex } from "../chain/accounts.ts";
import { sendCall } from "../chain/send.ts";
import { DEVNET_PINATA_JWT } from "../ipfs/app.ts";
import { type LocalNetwork, startNetwork } from "../network.ts";
import { runUserJob, USER_STEPS } from "./user.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const MODEL = "mock:test";
const PROMPT = "Wie heißt das?\n\u001c nichts";
const ANSWER = " So:\u00a0heißt\u001c es.\ufeff\n";
const NOWHERE = "http://127.0.0.1:1";

let network: LocalNetwork;
let stateDir: string;
/** What the nodes do in this test; by default they are honest. */
let answers: (role: Assignment["role"], node: Address) => { sealed: string; hashed: string };
const honest: typeof answers = () => ({ sealed: ANSWER, hashed: ANSWER });
const prompts: string[] = [];
const stopping = new AbortController();
const loops: Promise<void>[] = [];

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "blindference-user-"));
  network = await startNetwork({ stateDir });
  await Promise.all([0, 1, 2].map(startHandMadeNode));
});
afterAll(async () => {
  stopping.abort();
  // A node that waits for a leader when the test ends is cut off there.
  await Promise.allSettled(loops);
  await network?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** Attests, and then serves one job after another: the least a node can do, without a durable job, on core's parts. */
async function startHandMadeNode(n: number): Promise<void> {
  const signer = devAccount(nodeIndex(n));
  const icl = createIclClient({ endpoint: network.urls.icl, signer, fetch, clock: systemClock });
  await attest({
    icl,
    attester: createMockAttester(),
    node: signer.address,
    models: [MODEL],
    tier: 0,
    clock: systemClock,
  });
  const poll = async () => {
    while (!stopping.signal.aborted) {
      const { assignments } = await icl.assignments();
      for (const assignment of assignments) await serve(signer, icl, assignment);
      await systemClock.sleep(100);
    }
  };
  loops.push(poll());
}

async function serve(signer: ReturnType<typeof devAccount>, icl: ReturnType<typeof createIclClient>, job: Assignment) {
  const { jobId, role } = job;
  const parts = partsOf(signer);
  const handles = await icl.claim(jobId);
  const key = joinKey(
    await parts.cofhe.decryptUint128(handles.kpHighHandle),
    await parts.cofhe.decryptUint128(handles.kpLowHandle),
  );
  prompts.push(await parts.ipfs.download(job.promptCid, (bytes) => openBlob(bytes, key)));
  const { sealed, hashed } = answers(role, signer.address);
  if (role === "leader") {
    const outputKey = systemRandom(32);
    const { cid } = await parts.pinner.pin(await sealBlob(sealed, outputKey, systemRandom), "answer");
    const { high, low } = splitKey(outputKey);
    const inputs = await parts.cofhe.encryptUint128Pair(high, low);
    const allowed = [job.userAddress as Address];
    const stored = { purpose: "an output key", storeJobId: outputKeyStoreJobId(jobId), ...inputs, allowed };
    const tx = await sendCall(parts.client, signer, storeKeyCall(network.contracts.promptKeyStore, stored));
    await icl.submitResult({
      jobId,
      output_cid: cid,
      commitment_hash: await commitment(cid, hashed),
      encrypted_output_key_high: inputs.high.ctHash,
      encrypted_output_key_low: inputs.low.ctHash,
      encrypted_output_key_inputs: inputs,
      output_key_store_tx: tx,
    });
    return;
  }
  const { outputCid, leaderCommitment } = await leaderOf(icl, jobId);
  const hash = await commitment(outputCid, hashed);
  const verdict = hash === leaderCommitment ? "CONFIRM" : "REJECT";
  await icl.submitVerdict({ jobId, verifier_address: signer.address, commitment_hash: hash, verdict, confidence: 100 });
}

async function leaderOf(icl: ReturnType<typeof createIclClient>, jobId: string) {
  for (;;) {
    const { outputCid, leaderCommitment } = await icl.jobStatus(jobId);
    if (outputCid !== null) return { outputCid, leaderCommitment };
    await systemClock.sleep(100, stopping.signal);
  }
}

function partsOf(signer: ReturnType<typeof devAccount>) {
  const { chainId, urls } = network;
  const services = { coFheUrl: NOWHERE, verifierUrl: NOWHERE, thresholdNetworkUrl: NOWHERE };
  const permits = { load: async () => null, save: async () => {} };
  const ports = { fetch, clock: systemClock };
  return {
    client: createChainClient({ rpcUrls: [urls.rpc], chainId }),
    cofhe: createCofhe({ chainId, rpcUrls: [urls.rpc], urls: services, signer, permits, clock: systemClock }),
    ipfs: createIpfsDownloader({ gateways: [urls.ipfsGateway], ...ports }),
    pinner: createPinner({ apiUrl: urls.pinata, jwt: new Secret(DEVNET_PINATA_JWT), ...ports }),
  };
}

const ask = (more: object = {}) =>
  runUserJob({
    coordinatorUrl: network.urls.icl,
    chain: { rpcUrl: network.urls.rpc, promptKeyStore: network.contracts.promptKeyStore },
    ipfsGatewayUrl: network.urls.ipfsGateway,
    account: devAccount(DEV_ROLES.user),
    modelId: MODEL,
    prompt: PROMPT,
    pollMs: 50,
    ...more,
  });

describe("a user's job", () => {
  it("brings back the answer as it was given, byte for byte, with three equal hashes", async () => {
    answers = honest;
    const steps: string[] = [];
    const result = await ask({ onStep: (step: string) => steps.push(step) });
    expect(result).toMatchObject({ status: "ACCEPTED", answer: ANSWER, confirmations: 3 });
    expect(new Set([result.leader, ...result.verifiers]).size).toBe(3);
    expect(result.jobId).toMatch(/^0x[0-9a-f]{64}$/);
    expect(result.outputKeyStoreTx).toMatch(/^0x[0-9a-f]{64}$/);
    expect(result.commitmentHash).toBe(await commitment(result.outputCid ?? "", ANSWER));
    expect(steps).toEqual([...USER_STEPS]);
    expect(Object.keys(result.stepsMs)).toEqual([...USER_STEPS]);
    expect(prompts).toEqual([PROMPT, PROMPT, PROMPT]);
  });

  it("runs beside other jobs of the same user", async () => {
    answers = honest;
    const results = await Promise.all([0, 1, 2, 3].map(() => network.user.runJob({ modelId: MODEL, prompt: PROMPT })));
    expect(results.map(({ status, answer }) => [status, answer])).toEqual(results.map(() => ["ACCEPTED", ANSWER]));
    expect(new Set(results.map(({ jobId }) => jobId)).size).toBe(4);
  });

  it("counts a dissenting verifier out, and is still answered", async () => {
    let dissenters = 0;
    answers = (role) => {
      const dissents = role === "verifier" && dissenters++ === 0;
      return dissents ? { sealed: "", hashed: "another" } : honest("leader", "0x");
    };
    expect(await ask()).toMatchObject({ status: "ACCEPTED", answer: ANSWER, confirmations: 2 });
  });

  it("has no answer when the verifiers disagree with the leader", async () => {
    answers = (role) => ({ sealed: ANSWER, hashed: role === "leader" ? ANSWER : "another" });
    expect(await ask()).toMatchObject({ status: "REJECTED", answer: null, confirmations: 1 });
  });

  it("is not given an answer other than the one that was committed to, though the quorum accepted it", async () => {
    answers = () => ({ sealed: "an advertisement", hashed: ANSWER });
    await expect(ask()).rejects.toThrow("not the one that was committed to");
  });

  it("is refused at the preview when nobody serves the model", async () => {
    await expect(ask({ modelId: "mock:nobody" })).rejects.toThrow("503");
  });

  it("ends without a word from the coordinator when the time is up", async () => {
    expect(await ask({ timeoutMs: 0 })).toMatchObject({ status: "QUEUED", answer: null, confirmations: 0 });
  });
});
