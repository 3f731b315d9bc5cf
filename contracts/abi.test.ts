import type { Abi, AbiParameter } from "viem";
import { describe, expect, it } from "vitest";
import { nodeRegistryAbi, promptKeyStoreAbi, resultRegistryAbi, stakingAbi, tokenAbi } from "../core/chain/abi.ts";
import {
  blindArtifact,
  nodeRegistryArtifact,
  promptKeyStoreArtifact,
  resultRegistryArtifact,
  stakingArtifact,
} from "./artifacts.ts";

/** A type as it counts in a signature, struct members spelled out. */
function type(parameter: AbiParameter): string {
  if (!("components" in parameter)) return parameter.type;
  const members = parameter.components.map((member) => `${type(member)} ${member.name}`).join(", ");
  return parameter.type.replace("tuple", `(${members})`);
}

const types = (parameters: readonly AbiParameter[]) => parameters.map(type).join(", ");
const named = (parameters: readonly AbiParameter[]) =>
  parameters.map((parameter) => `${type(parameter)} ${parameter.name ?? ""}`.trim()).join(", ");

/** Every function, event and error in one line each, sorted; the constructor is nobody's business on the wire. */
function lines(abi: Abi): string[] {
  return abi
    .flatMap((item) => {
      if (item.type === "function")
        return [
          `function ${item.name}(${types(item.inputs)}) ${item.stateMutability} returns (${named(item.outputs)})`,
        ];
      if (item.type === "event") {
        const inputs = item.inputs.map((input) => `${type(input)}${input.indexed ? " indexed" : ""} ${input.name}`);
        return [`event ${item.name}(${inputs.join(", ")})`];
      }
      return item.type === "error" ? [`error ${item.name}(${types(item.inputs)})`] : [];
    })
    .sort();
}

describe("our contracts offer exactly the interface of the deployed ones", () => {
  const contracts: [string, Abi, Abi][] = [
    ["NodeRegistry", nodeRegistryArtifact.abi, nodeRegistryAbi],
    ["BlindferenceStaking", stakingArtifact.abi, stakingAbi],
    ["BLIND", blindArtifact.abi, tokenAbi],
    ["PromptKeyStore", promptKeyStoreArtifact.abi, promptKeyStoreAbi],
    ["ResultRegistry", resultRegistryArtifact.abi, resultRegistryAbi],
  ];
  it.each(contracts)("%s", (_name, ours, deployed) => {
    expect(lines(ours)).toEqual(lines(deployed));
  });
});
