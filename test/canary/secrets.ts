/**
 * Everything that a run's nodes and users must keep to themselves, by name: what the operator set, what the nodes wrapped
 * at rest (opened here with the storage key), and the keys and texts of every job. The mocks' transactions tell the
 * output keys, also of jobs whose wrapped key is gone by the time one looks.
 */
import { DatabaseSync } from "node:sqlite";
import { concat, decodeFunctionData, type Hex, hexToBytes, isHex, keccak256, stringToHex } from "viem";
import * as z from "zod";
import { mockZkVerifierArtifact } from "../../contracts/artifacts.ts";
import { joinKey, splitKey } from "../../core/crypto/key-halves.ts";
import { systemRandom } from "../../core/ports.ts";
import { Secret as Hidden } from "../../core/secret.ts";
import { createVault } from "../../core/vault.ts";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import type { Secret } from "./search.ts";
import { withSnapshot } from "./snapshot.ts";

/** Settings that are secret as texts. */
const TOKENS = ["BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN", "GROQ_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "PINATA_JWT"];

/** Settings whose URLs may carry a key. */
const URL_KEYS = { BLF_RPC_URL: "RPC key", OPENAI_BASE_URL: "model server's key" };
/** Longer than any part of a path that is none. */
const URL_KEY_MIN_LENGTH = 16;

/** The keys in a URL's path and query. */
export function urlKeys(url: string | undefined): string[] {
  if (url === undefined) return [];
  const { pathname, searchParams } = new URL(url);
  return [...pathname.split("/"), ...searchParams.values()].filter((part) => part.length >= URL_KEY_MIN_LENGTH);
}

/** What the operator of a node gave it, and what follows from that. */
export function operatorSecrets({ process: { name }, env, privateKey }: EdgeNode): Secret[] {
  const tokens = TOKENS.flatMap((token): Secret[] => {
    const value = env[token];
    return value === undefined ? [] : [{ name: `${token} of ${name}`, value }];
  });
  // As core/settings/build.ts derives it.
  const derived = keccak256(concat([stringToHex("blindference-edge/storage-key/1"), privateKey]));
  const inUrls = Object.entries(URL_KEYS).flatMap(([setting, what]) =>
    urlKeys(env[setting]).map((value) => ({ name: `${what} of ${name}`, value })),
  );
  return [
    ...tokens,
    ...keySecrets(`private key of ${name}`, privateKey),
    ...keySecrets(`storage key of ${name}`, `0x${env.BLF_STORAGE_KEY}`),
    ...keySecrets(`derived storage key of ${name}`, derived),
    ...inUrls,
  ];
}

/** A 32-byte key as bytes, as a number, and as the two numbers that CoFHE makes of it. */
export function keySecrets(name: string, key: Hex | Uint8Array): Secret[] {
  const bytes = typeof key === "string" ? hexToBytes(key) : key;
  const { high, low } = splitKey(bytes);
  return [
    { name, value: bytes },
    { name, value: (high << 128n) | low },
    { name: `${name}, high half`, value: high },
    { name: `${name}, low half`, value: low },
  ];
}

/** The output keys that the nodes had the mock verifier encrypt, one for each transaction to it. */
export function outputKeys(transactions: readonly Buffer[]): Uint8Array[] {
  return transactions.flatMap((body) => {
    const { params } = rpcBody.parse(JSON.parse(body.toString()));
    const { functionName, args } = decodeFunctionData({ abi: mockZkVerifierArtifact.abi, data: params[0].data });
    if (functionName !== "insertPackedCtHashes") return [];
    const [, [high, low]] = inserted.parse(args);
    return [joinKey(high, low)];
  });
}

const hex = z.custom<Hex>((value) => isHex(value));
const rpcBody = z.object({ params: z.tuple([z.object({ data: hex })]).rest(z.unknown()) });
const inserted = z.tuple([z.array(z.bigint()), z.tuple([z.bigint(), z.bigint()])]);

/** What a node holds wrapped now: its permit's text, and the output keys of its open jobs. */
export interface Unwrapped {
  permits: string[];
  outputKeys: { jobId: string; key: Uint8Array }[];
}

const jobRow = z.object({ node: z.string(), jobId: z.string(), outputKey: z.string().nullable() });
const permitText = z.object({ sealingPair: z.object({ privateKey: z.string() }) });

/** @param folder the node's state folder; it is copied first, since a node may be writing to it */
export async function unwrap(node: EdgeNode, folder: string): Promise<Unwrapped> {
  const vault = createVault({ keys: [new Hidden(node.env.BLF_STORAGE_KEY ?? "")], random: systemRandom });
  const found: Unwrapped = { permits: [], outputKeys: [] };
  for (const { table, json } of await documentsIn(folder)) {
    if (table === "permit") {
      const envelope = z.string().parse(JSON.parse(json));
      found.permits.push(new TextDecoder().decode(await vault.open("cofhe-permit", node.address, envelope)));
    } else {
      const { jobId, outputKey, ...job } = jobRow.parse(JSON.parse(json));
      if (outputKey === null) continue;
      found.outputKeys.push({ jobId, key: await vault.open("output-key", `${job.node}/${jobId}`, outputKey) });
    }
  }
  return found;
}

/** The permit's whole text, and its sealing private key by itself. */
export function permitSecrets(name: string, text: string): Secret[] {
  const { privateKey } = permitText.parse(JSON.parse(text)).sealingPair;
  return [
    { name: `permit of ${name}`, value: text },
    ...keySecrets(`sealing key of ${name}`, `0x${privateKey.replace(/^0x/, "").padStart(64, "0")}`),
  ];
}

function documentsIn(folder: string): Promise<{ table: "permit" | "job"; json: string }[]> {
  return withSnapshot(folder, (_copy, files) =>
    files.filter((file) => file.endsWith(".sqlite")).flatMap((file) => documentsOf(file)),
  );
}

function documentsOf(path: string): { table: "permit" | "job"; json: string }[] {
  const database = new DatabaseSync(path);
  try {
    const has = (table: string) =>
      database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) !== undefined;
    const jobs = has("job") ? database.prepare("SELECT json FROM job").all() : [];
    const permits = has("documents") ? database.prepare("SELECT json FROM documents WHERE name = 'permit'").all() : [];
    return [
      ...jobs.map(({ json }) => ({ table: "job" as const, json: String(json) })),
      ...permits.map(({ json }) => ({ table: "permit" as const, json: String(json) })),
    ];
  } finally {
    database.close();
  }
}
