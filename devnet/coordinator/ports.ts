/**
 * What the coordinator needs from the rest of the devnet. The real ones are `chain.ts`, the devnet's IPFS store and its
 * payment service; tests wire fakes that behave.
 */
import type { Address, Hex } from "viem";
import type { Role } from "../../core/icl/schema.ts";
import type { Result } from "../../core/result.ts";

/** uint256 handles of a stored key; both 0 where nothing is stored. */
export interface KeyHandles {
  high: bigint;
  low: bigint;
}

/** What an output key's transaction must have done (protocol §3). */
export interface OutputKeyClaim {
  tx: Hex;
  /** `keccak256(jobId + ":output-key")`. */
  storeJobId: Hex;
  leader: Address;
  user: Address;
  handles: KeyHandles;
}

export interface CommittedResult {
  taskId: Hex;
  /** The leader's commitment as bytes32. */
  resultHash: Hex;
  leader: Address;
  /** The verifiers that answered. */
  verifiers: readonly Address[];
  confirmCount: number;
  rejectCount: number;
  /** 0…100. */
  confidence: number;
  modelId: string;
}

export interface CommittedRejection {
  taskId: Hex;
  leader: Address;
  verifiers: readonly Address[];
  modelId: string;
  reason: string;
}

/** The coordinator's account on the chain. Each method throws NodeError when the chain cannot be used. */
export interface ChainPort {
  /** `PromptKeyStore.getEncryptedKey`. */
  readPromptKey(taskId: Hex): Promise<KeyHandles>;
  /** `BlindferenceStaking.recordFailure`; gives the transaction's hash. */
  recordFailure(node: Address): Promise<Hex>;
  /** `BlindferenceStaking.resetFailures`, where the node's count is not 0 already. */
  resetFailures(node: Address): Promise<Hex | null>;
  commitResult(result: CommittedResult): Promise<Hex>;
  commitRejection(rejection: CommittedRejection): Promise<Hex>;
  /** Refuses with the reason when the transaction did not make exactly this key readable for the user. */
  verifyOutputKeyTx(claim: OutputKeyClaim): Promise<Result<null, string>>;
}

/** Where uploaded prompts go; gives the CID. */
export interface IpfsPort {
  add(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
}

/** What became of one member's part of a job. */
export interface SettledMember {
  node: Address;
  role: Role;
  /** `earned`: its hash is the accepted one. `lost`: another hash, or claimed and never delivered. */
  part: "earned" | "lost";
}

export interface SettledJob {
  jobId: string;
  modelId: string;
  /** Anything but `accepted` gives the user the money back. */
  outcome: "accepted" | "rejected" | "timedout";
  /** Those that took part: members that never claimed are left out. */
  members: readonly SettledMember[];
}

/** The payment service. Repeating a job, with more members perhaps, pays nobody twice. */
export interface PaymentPort {
  pay(job: SettledJob): Promise<void>;
}
