import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { Fetch } from "../ports.ts";
import { ARBITRUM_SEPOLIA } from "./addresses.ts";
import { toChainError } from "./errors.ts";
import { createChainClient, MAX_ANSWER_BYTES } from "./rpc.ts";

const CHAIN = `0x${ARBITRUM_SEPOLIA.toString(16)}`;
const KEY = "v2/a-secret-api-key";
const FIRST = `https://first.test/${KEY}`;
const SECOND = `https://second.test/${KEY}`;

type Reply = { result: unknown } | { error: { code: number; message: string } } | Response | "never";

/** JSON-RPC servers by host, answering from `answers`; remembers who was asked what. */
function servers(answers: Record<string, (method: string, times: number) => Reply>) {
  const asked: string[] = [];
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init);
    const { host } = new URL(request.url);
    const { method, id } = (await request.json()) as { method: string; id: number };
    asked.push(`${host.split(".")[0]} ${method}`);
    const reply = answers[host]?.(method, asked.filter((entry) => entry === asked.at(-1)).length) ?? "never";
    if (reply === "never") {
      return new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
    }
    return reply instanceof Response ? reply : Response.json({ jsonrpc: "2.0", id, ...reply });
  };
  return { fetch, asked };
}

const PIECE = 65_536;
/** Bytes that endless bodies gave away. */
let sent = 0;
const endless = () =>
  new ReadableStream({
    pull(controller) {
      sent += PIECE;
      controller.enqueue(new Uint8Array(PIECE).fill(32));
    },
  });
const lengthOf = (bytes: number) => ({ headers: { "content-length": `${bytes}` } });

const healthy = (method: string): Reply => ({ result: method === "eth_chainId" ? CHAIN : "0x7" });
const clientOf = (fetch: Fetch, options: Partial<Parameters<typeof createChainClient>[0]> = {}) =>
  createChainClient({ rpcUrls: [FIRST, SECOND], chainId: ARBITRUM_SEPOLIA, fetch, ...options });

/** What a caller is told about a failed call. */
async function failure(work: Promise<unknown>): Promise<NodeError> {
  const error = await work.then(
    () => null,
    (caught: unknown) => toChainError(caught, "asking"),
  );
  if (!(error instanceof NodeError)) throw new Error("nothing failed");
  expect(`${error.message} ${error.hint} ${error.stack}`).not.toContain(KEY);
  return error;
}

describe("a redirect", () => {
  it("is not followed: the next URL is asked instead", async () => {
    const redirects: string[] = [];
    const { fetch, asked } = servers({
      "first.test": () => new Response(null, { status: 307, headers: { location: "https://third.test/" } }),
      "second.test": healthy,
    });
    const client = clientOf((input, init) => {
      redirects.push(new Request(input, init).redirect);
      return fetch(input, init);
    });
    expect(await client.getGasPrice()).toBe(7n);
    expect(asked).toEqual(["first eth_chainId", "second eth_chainId", "second eth_gasPrice"]);
    expect(new Set(redirects)).toEqual(new Set(["manual"]));
  });
});

describe("the chain id", () => {
  it("is asked of a URL once, before its first use", async () => {
    const { fetch, asked } = servers({ "first.test": healthy });
    const client = clientOf(fetch);
    expect(await client.getGasPrice()).toBe(7n);
    await client.getGasPrice();
    expect(asked).toEqual(["first eth_chainId", "first eth_gasPrice", "first eth_gasPrice"]);
  });

  it.each([
    ["0x1", "first.test serves chain 1 (Ethereum, a mainnet), not 421614"],
    ["0x7a69", "first.test serves chain 31337, not 421614"],
  ])("%s where another is expected is refused for good, and nothing else is asked", async (chainId, message) => {
    const { fetch, asked } = servers({ "first.test": () => ({ result: chainId }), "second.test": healthy });
    expect(await failure(clientOf(fetch).getGasPrice())).toMatchObject({ code: "settings", retry: "never", message });
    expect(asked).toEqual(["first eth_chainId"]);
  });

  it.each([1, 42161, 8453])("of a mainnet, %i, is refused before any request", (chainId) => {
    expect(() => createChainClient({ rpcUrls: [FIRST], chainId })).toThrow(/mainnet/);
  });

  it("needs at least one URL", () => {
    expect(() => createChainClient({ rpcUrls: [], chainId: ARBITRUM_SEPOLIA })).toThrow("BLF_RPC_URL is not set");
  });
});

describe("a server that fails", () => {
  it("is passed over for the next one, which is checked too", async () => {
    const down = () => new Response("down", { status: 503 });
    const { fetch, asked } = servers({ "first.test": down, "second.test": healthy });
    expect(await clientOf(fetch).getGasPrice()).toBe(7n);
    expect(asked).toEqual(["first eth_chainId", "second eth_chainId", "second eth_gasPrice"]);
  });

  it("is asked again when it says 429", async () => {
    const busy = (method: string, times: number): Reply =>
      method === "eth_gasPrice" && times === 1
        ? new Response("slow down", { status: 429, headers: { "retry-after": "0" } })
        : healthy(method);
    const { fetch, asked } = servers({ "first.test": busy });
    expect(await clientOf(fetch, { rpcUrls: [FIRST] }).getGasPrice()).toBe(7n);
    expect(asked.filter((entry) => entry === "first eth_gasPrice")).toHaveLength(2);
  });

  it("by 429 is left alone for as long as it asks, while another one answers", async () => {
    let nowMs = 0;
    const busy = () => new Response("slow down", { status: 429, headers: { "retry-after": "30" } });
    const { fetch, asked } = servers({ "first.test": busy, "second.test": healthy });
    const client = clientOf(fetch, { clock: { now: () => nowMs } });
    const askedAt = async (atMs: number) => {
      nowMs = atMs;
      asked.splice(0);
      expect(await client.getGasPrice()).toBe(7n);
      return asked;
    };
    expect(await askedAt(0)).toEqual(["first eth_chainId", "second eth_chainId", "second eth_gasPrice"]);
    expect(await askedAt(29_999)).toEqual(["second eth_gasPrice"]);
    expect(await askedAt(30_000)).toEqual(["first eth_chainId", "second eth_gasPrice"]);
  });

  it("by 429 in words of its own is left alone for two seconds", async () => {
    let nowMs = 0;
    const busy = (method: string): Reply =>
      method === "eth_chainId" ? healthy(method) : { error: { code: -32005, message: "limit exceeded" } };
    const { fetch, asked } = servers({ "first.test": busy, "second.test": healthy });
    const client = clientOf(fetch, { clock: { now: () => nowMs } });
    await client.getGasPrice();
    nowMs = 1_999;
    await client.getGasPrice();
    expect(asked.filter((entry) => entry === "first eth_gasPrice")).toHaveLength(1);
    nowMs = 2_000;
    await client.getGasPrice();
    expect(asked.filter((entry) => entry === "first eth_gasPrice")).toHaveLength(2);
  });

  it("by 429 does not hold up another one's next turn", async () => {
    const busy = (method: string, times: number): Reply =>
      method === "eth_gasPrice" && times === 1 ? new Response("down", { status: 503 }) : healthy(method);
    const later = () => new Response("slow down", { status: 429, headers: { "retry-after": "60" } });
    const { fetch } = servers({ "first.test": busy, "second.test": later });
    expect(await clientOf(fetch, { deadlineMs: 10_000 }).getGasPrice()).toBe(7n);
  });

  it("by 429 is asked all the same when every other one does too", async () => {
    const busy = (method: string, times: number): Reply =>
      method === "eth_gasPrice" && times === 1
        ? new Response("slow down", { status: 429, headers: { "retry-after": "20" } })
        : healthy(method);
    const { fetch } = servers({ "first.test": busy, "second.test": busy });
    expect(await clientOf(fetch, { deadlineMs: 10_000 }).getGasPrice()).toBe(7n);
  });

  it("cannot make a call wait for longer than its deadline by Retry-After", async () => {
    const busy = () => new Response("slow down", { status: 429, headers: { "retry-after": "3600" } });
    const { fetch } = servers({ "first.test": busy });
    const client = clientOf(fetch, { rpcUrls: [FIRST], deadlineMs: 50 });
    expect(await failure(client.getGasPrice())).toMatchObject({
      code: "rpc-unavailable",
      retry: "later",
      message: "asking: the RPC did not answer in time",
    });
  });

  it("by never answering is given up", async () => {
    const { fetch } = servers({ "first.test": () => "never" });
    const client = clientOf(fetch, { rpcUrls: [FIRST], timeoutMs: 20, deadlineMs: 100 });
    expect(await failure(client.getGasPrice())).toMatchObject({ code: "rpc-unavailable", retry: "later" });
  });

  it.each([
    ["with its length announced", (bytes: number) => new Response("x".repeat(bytes), lengthOf(bytes))],
    ["without end", () => new Response(endless())],
    ["without end, as a refusal", () => new Response(endless(), { status: 500 })],
  ])("by an answer of 10 MB and more, %s, is passed over, and what it sends is not gathered", async (_how, flood) => {
    sent = 0;
    const { fetch, asked } = servers({ "first.test": () => flood(10 << 20), "second.test": healthy });
    expect(await clientOf(fetch).getGasPrice()).toBe(7n);
    expect(asked).toEqual(["first eth_chainId", "second eth_chainId", "second eth_gasPrice"]);
    expect(sent).toBeLessThan(MAX_ANSWER_BYTES + 4 * PIECE);
    const alone = clientOf(servers({ "first.test": () => flood(10 << 20) }).fetch, { rpcUrls: [FIRST] });
    expect(await failure(alone.getGasPrice())).toMatchObject({
      code: "rpc-unavailable",
      retry: "later",
      message: "asking: the RPC's answer was longer than is taken",
    });
  });

  it("by no more than a long answer does not", async () => {
    const long = (method: string): Reply =>
      method === "eth_chainId" ? healthy(method) : { result: `0x${"7".repeat(MAX_ANSWER_BYTES - 1_000)}` };
    const client = clientOf(servers({ "first.test": long }).fetch, { rpcUrls: [FIRST] });
    expect((await client.getCode({ address: `0x${"1".repeat(40)}` }))?.length).toBe(MAX_ANSWER_BYTES - 998);
  });

  it("with 401 is named, so that the operator looks at the key", async () => {
    const { fetch } = servers({ "first.test": () => new Response("no such key", { status: 401 }) });
    expect(await failure(clientOf(fetch, { rpcUrls: [FIRST] }).getGasPrice())).toMatchObject({
      code: "rpc-unavailable",
      message: "asking: the RPC answered HTTP 401",
    });
  });
});
