/**
 * The compiled contracts of the devnet, typed and ready to deploy or to place. Compiling is compile.ts's business:
 * whoever imports this needs no compiler.
 */
import type { Abi, Hex } from "viem";
import blind from "./artifacts/Blind.json" with { type: "json" };
import staking from "./artifacts/BlindferenceStaking.json" with { type: "json" };
import mockAcl from "./artifacts/MockAcl.json" with { type: "json" };
import mockQueryDecrypter from "./artifacts/MockQueryDecrypter.json" with { type: "json" };
import mockZkVerifier from "./artifacts/MockZkVerifier.json" with { type: "json" };
import nodeRegistry from "./artifacts/NodeRegistry.json" with { type: "json" };
import promptKeyStore from "./artifacts/PromptKeyStore.json" with { type: "json" };
import resultRegistry from "./artifacts/ResultRegistry.json" with { type: "json" };
import taskManager from "./artifacts/TaskManager.json" with { type: "json" };

export interface Artifact {
  contractName: string;
  abi: Abi;
  /** Creation code, to be followed by the constructor's arguments. */
  bytecode: Hex;
  /** Runtime code, for placing a contract without constructor and immutables at a fixed address. */
  deployedBytecode: Hex;
}

/** The network's contracts. */
export const blindArtifact = artifact(blind);
export const stakingArtifact = artifact(staking);
export const nodeRegistryArtifact = artifact(nodeRegistry);
export const promptKeyStoreArtifact = artifact(promptKeyStore);
export const resultRegistryArtifact = artifact(resultRegistry);

/** CoFHE's mock contracts (protocol §8); the access control list has immutables and must be deployed, not placed. */
export const taskManagerArtifact = artifact(taskManager);
export const mockAclArtifact = artifact(mockAcl);
export const mockZkVerifierArtifact = artifact(mockZkVerifier);
export const mockQueryDecrypterArtifact = artifact(mockQueryDecrypter);

function artifact(json: { contractName: string; abi: unknown; bytecode: string; deployedBytecode: string }): Artifact {
  // JSON modules are typed as plain strings; the compiler wrote them and `compile.ts --check` keeps them so.
  return {
    contractName: json.contractName,
    abi: json.abi as Abi,
    bytecode: json.bytecode as Hex,
    deployedBytecode: json.deployedBytecode as Hex,
  };
}
