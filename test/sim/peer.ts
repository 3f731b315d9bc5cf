/**
 * The rest of a quorum, played by a script that speaks the protocol: it attests, claims, and commits to the answer that
 * an honest node gives. As a verifier it waits for the leader's word and agrees with it.
 */
import type { Address } from "viem";
import { attest } from "../../core/attestation/attest.ts";
import { createMockAttester } from "../../core/attestation/attester.ts";
import { sealBlob } from "../../core/crypto/blob.ts";
import { commitment } from "../../core/crypto/commitment.ts";
import { sha256Hex } from "../../core/crypto/sha256.ts";
import { createIclClient, type IclClient } from "../../core/icl/client.ts";
import { type Clock, type Fetch, systemRandom } from "../../core/ports.ts";
import { devAccount, nodeIndex } from "../../devnet/chain/accounts.ts";
import type { IpfsStore } from "../../devnet/ipfs/store.ts";
import { modelAnswer } from "../../devnet/models/answer.ts";
import { DEVNET_MODEL_KEY } from "../../devnet/network.ts";
import { PROMPT } from "./chain.ts";

export interface Peer {
  address: Address;
  join(models: readonly string[]): Promise<void>;
  heartbeat(): Promise<void>;
  claim(jobId: string): Promise<void>;
  /** Claims, pins the right answer and commits to it. Gives the hash. */
  lead(jobId: string, modelId: string): Promise<string>;
  /** Commits to this hash. */
  verify(jobId: string, hash: string): Promise<void>;
}

export interface PeerParts {
  index: number;
  iclUrl: string;
  fetch: Fetch;
  clock: Clock;
  store: IpfsStore;
}

export function createPeer({ index, iclUrl, fetch, clock, store }: PeerParts): Peer {
  const signer = devAccount(nodeIndex(index));
  const icl: IclClient = createIclClient({ endpoint: iclUrl, signer, fetch, clock });
  return {
    address: signer.address,
    async join(models) {
      await attest({ icl, attester: createMockAttester(undefined), node: signer.address, models, tier: 0, clock });
    },
    heartbeat: () => icl.heartbeat(),
    async claim(jobId) {
      await icl.claim(jobId);
    },
    async lead(jobId, modelId) {
      await icl.claim(jobId);
      const answer = await honestAnswer(modelId);
      const cid = await store.add(await sealBlob(answer, systemRandom(32), systemRandom));
      const hash = await commitment(cid, answer);
      await icl.submitResult({
        jobId,
        output_cid: cid,
        commitment_hash: hash,
        encrypted_output_key_high: "1",
        encrypted_output_key_low: "2",
      });
      return hash;
    },
    async verify(jobId, hash) {
      await icl.claim(jobId);
      const verdict = { verifier_address: signer.address, verdict: "CONFIRM", confidence: 100 } as const;
      await icl.submitVerdict({ jobId, commitment_hash: hash, ...verdict });
    },
  };
}

/** What every honest node of the network gets for the simulation's prompt. */
export async function honestAnswer(modelId: string): Promise<string> {
  const [backend, ...rest] = modelId.split(":");
  if (backend === "mock") return `MOCK_OUTPUT_${await sha256Hex(`${modelId}:${PROMPT}`)}`;
  const isCloud = backend === "groq" || backend === "gemini";
  return modelAnswer(isCloud ? rest.join(":") : modelId, PROMPT, isCloud ? DEVNET_MODEL_KEY : "");
}
