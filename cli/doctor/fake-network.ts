/**
 * Everything that a node talks to, on one loopback server, for tests of the checks: a chain with the network's contracts, a
 * coordinator, Groq and a model server, Pinata and a gateway, CoFHE's services, a running node. Each part can be made to
 * misbehave. It refuses what it does not know with 404, and keeps every request that it got.
 */
import { createServer, type IncomingMessage } from "node:http";
import { decodeFunctionData, encodeFunctionResult, type Hex, multicall3Abi, numberToHex, toHex } from "viem";
import { nodeRegistryAbi, stakingAbi, tokenAbi } from "../../core/chain/abi.ts";
import { resolveAddresses } from "../../core/chain/addresses.ts";
import { VERSION } from "../../core/version.ts";

export const GROQ_KEY = "gsk_0123456789abcdefghij";
export const GEMINI_KEY = "AIza0123456789abcdefghij";
export const SERVER_KEY = "server-key-0123456789";
export const PINATA_JWT = "eyJhbGciOiJIUzI1NiJ9.e30.abc";
export const ADMIN_TOKEN = "admin-token-0123456789";

export interface World {
  chainId: number;
  ethWei: bigint;
  blind: bigint;
  staked: bigint;
  failures: bigint;
  registered: boolean;
  /** Addresses without code. */
  bare: string[];
  /** Of the coordinator, ms ahead of ours. */
  skewMs: number;
  known: boolean;
  models: string[];
  /** Whether the model server asks for SERVER_KEY. */
  serverLocked: boolean;
  groqStatus: number;
  pinataStatus: number;
  gatewayStatus: number;
  cofheStatus: number;
  rpcStatus: number;
  /** What the node answers to /healthz and /api/status; null while none runs. */
  node: { healthz: object; status: object } | null;
}

export interface FakeNetwork {
  url: string;
  world: World;
  /** Method, path and headers of each request, in order. */
  requests: { line: string; headers: IncomingMessage["headers"]; body: string }[];
  /** Settings that lead here. */
  settings: Record<string, string>;
  close(): Promise<void>;
}

export const nodeStatus = (changes: object = {}) => ({
  address: "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b",
  state: "running",
  holds: [],
  certificate: { certHash: "0xab", expiresAtSec: 2_000_000_000, secondsLeft: 80_000 },
  lastError: null,
  ...changes,
});

export const healthyNode = (changes: object = {}) => ({
  healthz: { status: "ok", version: VERSION },
  status: { version: VERSION, configured: true, faults: [], nodes: [nodeStatus(changes)] },
});

const healthy = (): World => ({
  chainId: 421_614,
  ethWei: 10n ** 17n,
  blind: 5n * 10n ** 20n,
  staked: 1000n * 10n ** 18n,
  failures: 0n,
  registered: true,
  bare: [],
  skewMs: 0,
  known: true,
  models: ["facebook/opt-125m"],
  serverLocked: false,
  groqStatus: 200,
  pinataStatus: 200,
  gatewayStatus: 200,
  cofheStatus: 404,
  rpcStatus: 200,
  node: healthyNode(),
});

export async function startFakeNetwork(): Promise<FakeNetwork> {
  const world = healthy();
  const requests: FakeNetwork["requests"] = [];
  const server = createServer((incoming, reply) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      requests.push({ line: `${incoming.method} ${incoming.url}`, headers: incoming.headers, body });
      const { status, text } = answer(world, incoming, body);
      const date = new Date(Date.now() + world.skewMs).toUTCString();
      reply.writeHead(status, { "content-type": "application/json", date }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    world,
    requests,
    settings: {
      BLF_RPC_URL: `${url}/rpc/an-rpc-key-of-some-length`,
      BLF_ICL_ENDPOINT: `${url}/icl`,
      BLF_COFHE_URL: `${url}/cofhe/network`,
      BLF_COFHE_VERIFIER_URL: `${url}/cofhe/verifier`,
      BLF_COFHE_TN_URL: `${url}/cofhe/threshold`,
      GROQ_BASE_URL: `${url}/groq`,
      GEMINI_BASE_URL: `${url}/gemini`,
      PINATA_API_URL: `${url}/pinata`,
      PINATA_GATEWAY_URL: `${url}/ipfs`,
      BLF_NODE_URL: `${url}/node`,
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  status: number;
  text: string;
}

const json = (value: unknown, status = 200): Answer => ({ status, text: JSON.stringify(value) });

function answer(world: World, { url = "", headers }: IncomingMessage, body: string): Answer {
  const bearer = headers.authorization;
  const path = url.replace(/\?.*/, "");
  if (path.startsWith("/rpc/"))
    return world.rpcStatus === 200 ? json(rpc(world, JSON.parse(body))) : json({}, world.rpcStatus);
  if (path === "/icl/health") return json({ status: "ok" });
  if (path.startsWith("/icl/v1/nodes/"))
    return world.known ? json({ operator_address: "0x", model_tiers: [], active: true, metrics: {} }) : json({}, 404);
  if (path === "/groq/models") return json({ data: [] }, bearer === `Bearer ${GROQ_KEY}` ? 200 : 401);
  if (path === "/groq/chat/completions") {
    if (bearer !== `Bearer ${GROQ_KEY}`) return json({}, 401);
    return json({ choices: [{ message: { content: `sky ${JSON.parse(body).messages.length}` } }] }, world.groqStatus);
  }
  if (path.startsWith("/gemini/")) return gemini(path, headers["x-goog-api-key"]);
  if (path.startsWith("/v1/") && world.serverLocked && bearer !== `Bearer ${SERVER_KEY}`) return json({}, 401);
  if (path === "/v1/models") return json({ data: world.models.map((id) => ({ id })) });
  if (path === "/v1/completions") return json({ choices: [{ text: "sky" }] });
  if (path === "/pinata/data/testAuthentication")
    return json({}, bearer === `Bearer ${PINATA_JWT}` ? world.pinataStatus : 401);
  if (path.startsWith("/ipfs/")) return { status: world.gatewayStatus, text: "" };
  if (path.startsWith("/cofhe/")) return json({}, world.cofheStatus);
  if (path === "/node/healthz" && world.node !== null) return json(world.node.healthz);
  if (path === "/node/api/status" && world.node !== null) {
    return bearer === `Bearer ${ADMIN_TOKEN}` ? json(world.node.status) : json({ error: "no" }, 401);
  }
  return json({}, 404);
}

/** Google answers 400 to a key that it does not know, and says so in words. */
function gemini(path: string, key: string | string[] | undefined): Answer {
  if (key !== GEMINI_KEY) {
    const message = "API key not valid. Please pass a valid API key.";
    return json({ error: { code: 400, message, status: "INVALID_ARGUMENT" } }, 400);
  }
  if (path === "/gemini/models") return json({ models: [] });
  return json({ candidates: [{ content: { parts: [{ text: "sky" }] } }] });
}

function rpc(
  world: World,
  { id, method, params }: { id: number; method: string; params: [{ to?: string; data?: Hex } & string] },
) {
  const result = (value: unknown) => ({ jsonrpc: "2.0", id, result: value });
  switch (method) {
    case "eth_chainId":
      return result(numberToHex(world.chainId));
    case "eth_getBlockByNumber":
      return result({ number: "0x10", timestamp: numberToHex(Math.floor(Date.now() / 1000)), transactions: [] });
    case "eth_gasPrice":
      return result(numberToHex(100_000_000n));
    case "eth_getBalance":
      return result(numberToHex(world.ethWei));
    case "eth_getCode":
      return result(world.bare.includes(params[0]) ? "0x" : "0x6001");
    case "eth_call":
      return result(call(world, params[0].to ?? "", params[0].data ?? "0x"));
    default:
      return { jsonrpc: "2.0", id, error: { code: -32601, message: "no such method" } };
  }
}

function call(world: World, to: string, data: Hex): Hex {
  const { nodeRegistry, staking, token } = resolveAddresses(421_614);
  const is = (address: string | undefined) => address?.toLowerCase() === to.toLowerCase();
  if (is(token)) return encodeFunctionResult({ abi: tokenAbi, functionName: "balanceOf", result: world.blind });
  if (is(staking)) {
    const info = {
      staked: world.staked,
      unbonding: 0n,
      unbondingAvailableAt: 0n,
      consecutiveFailures: world.failures,
      active: true,
    };
    return encodeFunctionResult({ abi: stakingAbi, functionName: "getStakeInfo", result: info });
  }
  if (is(nodeRegistry)) return registry(world, data);
  const { args } = decodeFunctionData({ abi: multicall3Abi, data });
  const calls = args?.[0] as readonly { target: string; callData: Hex }[];
  const results = calls.map(({ target, callData }) => ({ success: true, returnData: call(world, target, callData) }));
  return encodeFunctionResult({ abi: multicall3Abi, functionName: "aggregate3", result: results });
}

function registry({ registered }: World, data: Hex): Hex {
  const { functionName } = decodeFunctionData({ abi: nodeRegistryAbi, data });
  const now = BigInt(Math.floor(Date.now() / 1000));
  const abi = nodeRegistryAbi;
  switch (functionName) {
    case "getNode":
      return encodeFunctionResult({
        abi,
        functionName,
        result: {
          operator: "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b",
          tier: 0,
          attestationHash: toHex(1, { size: 32 }),
          registeredAt: registered ? now - 1000n : 0n,
          lastHeartbeat: now - 100n,
          attestationExpires: now + 1000n,
          active: registered,
          models: [],
          stake: 0n,
        },
      });
    case "heartbeatGraceSeconds":
      return encodeFunctionResult({ abi, functionName, result: 950_400n });
    case "minStake":
      return encodeFunctionResult({ abi, functionName, result: 0n });
    case "isActive":
      return encodeFunctionResult({ abi, functionName, result: registered });
    default:
      return encodeFunctionResult({ abi, functionName: "isAuthorizedICL", result: false });
  }
}
