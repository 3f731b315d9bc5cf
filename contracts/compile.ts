/**
 * Compiles the devnet's contracts and CoFHE's mocks into contracts/artifacts, so that nothing else needs a compiler.
 * `node contracts/compile.ts` writes; `--check` recompiles and fails when a committed artifact differs from its source.
 * Invariant: the output depends on the sources, the compiler and the settings below only (no paths, no metadata hash).
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const artifactsFolder = new URL("artifacts/", import.meta.url);
const MOCKS = "@fhenixprotocol/cofhe-mock-contracts/";

/** Which contracts become artifacts, by source file. */
const CONTRACTS: Record<string, string> = {
  Blind: "contracts/src/Blind.sol",
  BlindferenceStaking: "contracts/src/BlindferenceStaking.sol",
  MockAcl: "contracts/src/MockAcl.sol",
  MockQueryDecrypter: `${MOCKS}MockQueryDecrypter.sol`,
  MockZkVerifier: `${MOCKS}MockZkVerifier.sol`,
  NodeRegistry: "contracts/src/NodeRegistry.sol",
  PromptKeyStore: "contracts/src/PromptKeyStore.sol",
  ResultRegistry: "contracts/src/ResultRegistry.sol",
  TaskManager: `${MOCKS}MockTaskManager.sol`,
};

// The mocks import Hardhat's console, which is not installed and must not be: they only log when asked to.
const CONSOLE = `// SPDX-License-Identifier: MIT
pragma solidity >=0.8.19;
library console { function log(string memory) internal pure {} }
`;

const SETTINGS = {
  evmVersion: "cancun", // the mock access control list uses transient storage
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

interface SolcContract {
  abi: unknown;
  evm: { bytecode: { object: string }; deployedBytecode: { object: string } };
}

interface SolcOutput {
  errors?: { severity: string; formattedMessage: string }[];
  contracts?: Record<string, Record<string, SolcContract>>;
}

interface Solc {
  compile(input: string, callbacks: { import(path: string): { contents: string } | { error: string } }): string;
}

/** Every artifact as file name → file text. Throws with the compiler's messages. */
export function compileContracts(): Map<string, string> {
  const solc = require("solc") as Solc;
  const sources = Object.fromEntries(Object.values(CONTRACTS).map((path) => [path, { content: readSource(path) }]));
  const input = { language: "Solidity", sources, settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: importSource })) as SolcOutput;
  const errors = (output.errors ?? []).filter((error) => error.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  return new Map(
    Object.entries(CONTRACTS).map(([name, path]) => {
      const compiled = output.contracts?.[path]?.[name];
      if (!compiled) throw new Error(`the compiler returned no ${name}`);
      return [`${name}.json`, artifactText(name, compiled)];
    }),
  );
}

/** File names whose committed text differs from `compiled`: changed, missing or left over. */
export function differingArtifacts(compiled: Map<string, string>): string[] {
  const committed = committedArtifacts();
  const names = new Set([...compiled.keys(), ...committed.keys()]);
  return [...names].filter((name) => compiled.get(name) !== committed.get(name)).sort();
}

function artifactText(name: string, { abi, evm }: SolcContract): string {
  const artifact = {
    contractName: name,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
  };
  return `${JSON.stringify(sorted(artifact), null, 1)}\n`;
}

/** Keys in order, and without the compiler's notes on Solidity types, which no caller reads. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== "internalType");
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}

function readSource(path: string): string {
  if (path === "hardhat/console.sol") return CONSOLE;
  return readFileSync(
    path.startsWith("contracts/") ? new URL(`../${path}`, import.meta.url) : require.resolve(path),
    "utf8",
  );
}

function importSource(path: string): { contents: string } | { error: string } {
  try {
    return { contents: readSource(path) };
  } catch {
    return { error: `no such source: ${path}` };
  }
}

function committedArtifacts(): Map<string, string> {
  mkdirSync(artifactsFolder, { recursive: true });
  const names = readdirSync(artifactsFolder).filter((name) => name.endsWith(".json"));
  return new Map(names.map((name) => [name, readFileSync(new URL(name, artifactsFolder), "utf8")]));
}

function main(): void {
  const compiled = compileContracts();
  const differing = differingArtifacts(compiled);
  if (process.argv.includes("--check")) {
    if (differing.length > 0) {
      process.stderr.write(`contracts/artifacts is stale (${differing.join(", ")}): run \`npm run contracts\`.\n`);
      process.exitCode = 1;
    }
    return;
  }
  for (const name of differing) {
    const text = compiled.get(name);
    if (text === undefined) rmSync(new URL(name, artifactsFolder));
    else writeFileSync(new URL(name, artifactsFolder), text);
  }
  process.stdout.write(`${compiled.size} artifacts, ${differing.length} changed\n`);
}

if (import.meta.main) main();
