import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Permission, SealingKey } from "@cofhe/sdk/permits";
import { type Hex, verifyTypedData, zeroAddress } from "viem";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { ARBITRUM_SEPOLIA } from "../../core/chain/addresses.ts";
import { createCofhe } from "../../core/cofhe/client.ts";
import { systemClock } from "../../core/ports.ts";
import { devAccount, nodeIndex } from "./accounts.ts";
import { type Anvil, startAnvil } from "./anvil.ts";
import { deployNetwork } from "./deploy.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const node = devAccount(nodeIndex(0));
const HANDLE = (0xabcn << 200n) | 0x600n;
const VALUE = (1n << 127n) + 5n;

interface SealRequest {
  ct_tempkey: string;
  host_chain_id: number;
  permit: Permission;
}
type Answer = { status: number; body?: object };

let anvil: Anvil;
let acl: Hex;
let server: Server;
let url: string;
/** What the threshold network answers, in order; the last one for ever. */
let answers: ((request: SealRequest) => Promise<Answer> | Answer)[];
let seen: string[];

beforeAll(async () => {
  // The real network's chain id: with the mocks' own id the SDK would not speak HTTP.
  anvil = await startAnvil({ chainId: ARBITRUM_SEPOLIA });
  acl = (await deployNetwork({ rpcUrl: anvil.rpcUrl, chainId: ARBITRUM_SEPOLIA })).addresses.acl;
  server = createServer((request, response) => void reply(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(async () => {
  server?.close();
  server?.closeAllConnections();
  await anvil?.stop();
});
beforeEach(() => {
  seen = [];
});

async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
  seen.push(`${request.method} ${request.url}`);
  const next = answers.length > 1 ? answers.shift() : answers[0];
  const answer = (await next?.(await bodyOf(request))) ?? { status: 500 };
  response.writeHead(answer.status, { "content-type": "application/json" });
  response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
}

async function bodyOf(request: IncomingMessage): Promise<SealRequest> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text === "" ? ({} as SealRequest) : (JSON.parse(text) as SealRequest);
}

/** Seals the value for the permit, if the permit is the node's own. */
async function sealed({ permit, ct_tempkey, host_chain_id }: SealRequest): Promise<Answer> {
  expect(ct_tempkey).toBe(HANDLE.toString(16).padStart(64, "0"));
  expect(host_chain_id).toBe(ARBITRUM_SEPOLIA);
  if (!(await isSigned(permit))) return { status: 403, body: { error_message: "PermissionInvalid_IssuerSignature" } };
  const { data, public_key, nonce } = SealingKey.seal(VALUE, permit.sealingKey.slice(2));
  return {
    status: 200,
    body: { request_id: null, sealed: { data: [...data], public_key: [...public_key], nonce: [...nonce] } },
  };
}

function isSigned({
  issuer,
  expiration,
  recipient,
  validatorId,
  validatorContract,
  sealingKey,
  issuerSignature,
}: Permission) {
  expect([issuer, recipient, validatorId, validatorContract]).toEqual([node.address, zeroAddress, 0, zeroAddress]);
  const fields = { issuer: "address", expiration: "uint64", recipient: "address", validatorId: "uint256" };
  const all = { ...fields, validatorContract: "address", sealingKey: "bytes32" };
  return verifyTypedData({
    address: node.address,
    domain: { name: "ACL", version: "1", chainId: ARBITRUM_SEPOLIA, verifyingContract: acl },
    types: { PermissionedV2IssuerSelf: Object.entries(all).map(([name, type]) => ({ name, type })) },
    primaryType: "PermissionedV2IssuerSelf",
    message: { issuer, expiration: BigInt(expiration), recipient, validatorId: 0n, validatorContract, sealingKey },
    signature: issuerSignature as Hex,
  });
}

function client() {
  return createCofhe({
    chainId: ARBITRUM_SEPOLIA,
    rpcUrls: [anvil.rpcUrl],
    urls: { coFheUrl: url, verifierUrl: url, thresholdNetworkUrl: url },
    signer: node,
    permits: { load: async () => null, save: async () => undefined },
    clock: systemClock,
  });
}

it("unseals what the network sealed for the node's own permit", async () => {
  answers = [sealed];
  expect(await client().decryptUint128(HANDLE)).toBe(VALUE);
  expect(seen).toEqual(["POST /v2/sealoutput"]);
});

it("waits while the ciphertext propagates and while the request is in work", async () => {
  let result: Answer;
  answers = [
    () => ({ status: 204 }),
    async (request) => {
      result = await sealed(request);
      return { status: 200, body: { request_id: "r-1", status: "PROCESSING" } };
    },
    () => ({ status: 200, body: { ...result.body, request_id: "r-1", status: "COMPLETED", is_succeed: true } }),
  ];
  expect(await client().decryptUint128(HANDLE)).toBe(VALUE);
  expect(seen).toEqual(["POST /v2/sealoutput", "POST /v2/sealoutput", "GET /v2/sealoutput/r-1"]);
});

it.each([
  [{ status: 403, body: { error_message: "NotAllowed" } }, { code: "cofhe-refused", retry: "later" }, 1],
  // A refused permit is replaced once, because the access control list may have moved.
  [
    { status: 403, body: { error_message: "PermissionInvalid_IssuerSignature" } },
    { code: "cofhe-refused", retry: "never" },
    2,
  ],
  [{ status: 500 }, { code: "cofhe-unavailable", retry: "later" }, 1],
])("takes %o for what it is", async (answer, expected, requests) => {
  answers = [() => answer];
  await expect(client().decryptUint128(HANDLE)).rejects.toMatchObject(expected);
  expect(seen).toHaveLength(requests);
});

it("leaves a network that does not answer as soon as the job is over", async () => {
  answers = [() => new Promise(() => undefined)];
  const job = new AbortController();
  const decryption = client().decryptUint128(HANDLE, job.signal);
  setTimeout(() => job.abort(new Error("the deadline passed")), 50);
  await expect(decryption).rejects.toThrow("the deadline passed");
});

it("refuses a value that is no key half", async () => {
  answers = [
    ({ permit }) => {
      const { data, public_key, nonce } = SealingKey.seal(1n << 128n, permit.sealingKey.slice(2));
      return { status: 200, body: { sealed: { data: [...data], public_key: [...public_key], nonce: [...nonce] } } };
    },
  ];
  await expect(client().decryptUint128(HANDLE)).rejects.toMatchObject({ code: "cofhe-refused", retry: "never" });
});

it("says before a leader's job is claimed that it cannot encrypt here", async () => {
  expect(client().canEncrypt).toBe(false);
  await expect(client().encryptUint128Pair(1n, 2n)).rejects.toMatchObject({ code: "settings", retry: "never" });
});
