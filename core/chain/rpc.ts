/**
 * The chain as a viem client over one or several RPC URLs, tried in order, with time-outs and retries (also on 429).
 * It refuses mainnets outright, and each URL must name the expected chain before its first use: no request ever
 * reaches another chain. Calls share no pending I/O, so that one client may serve several objects of a Worker.
 */
import { createPublicClient, defineChain, fallback, http, type PublicClient, type Transport } from "viem";
import { NodeError } from "../errors.ts";
import { type Clock, type Fetch, systemClock } from "../ports.ts";
import { ARBITRUM_SEPOLIA } from "./addresses.ts";
import { createCooling } from "./cooling.ts";
import { MAINNETS } from "./mainnets.ts";

export type ChainClient = PublicClient<Transport, ReturnType<typeof chainOf>>;

export interface ChainClientOptions {
  /** At least one URL. They may hold API keys: errors name their hosts only. */
  rpcUrls: readonly string[];
  chainId: number;
  /** Default: the platform's fetch. */
  fetch?: Fetch;
  /** Default: the real one. */
  clock?: Pick<Clock, "now">;
  /** One HTTP request, ms. */
  timeoutMs?: number;
  /** One call with all its retries and fall-backs, ms; a server's Retry-After cannot stretch it. */
  deadlineMs?: number;
}

const REQUEST_TIMEOUT_MS = 8_000;
const CALL_DEADLINE_MS = 25_000;
/** Rounds over all the URLs after the first one, from 200 ms apart, doubling. */
const RETRIES = 3;
const RETRY_DELAY_MS = 200;
/** Of one answer. A node asks for single values, receipts and blocks without their transactions: none has 100 kB. */
export const MAX_ANSWER_BYTES = 2 * 1024 * 1024;

/**
 * A client for the chain. Does no I/O itself. Throws NodeError `settings` for a mainnet or an empty list; its calls
 * fail with viem's errors, which `toChainError` translates, a wrong chain's among them.
 */
export function createChainClient(options: ChainClientOptions): ChainClient {
  const { rpcUrls, chainId, timeoutMs = REQUEST_TIMEOUT_MS, deadlineMs = CALL_DEADLINE_MS } = options;
  refuseMainnet(chainId);
  const [first] = rpcUrls;
  if (!first) {
    throw new NodeError("settings", "BLF_RPC_URL is not set", {
      retry: "never",
      hint: "Set BLF_RPC_URL to one RPC URL of the chain, or to several, comma-separated.",
    });
  }
  const { fetch, clock = systemClock } = options;
  const left = coolingOf(rpcUrls, clock);
  const transports = rpcUrls.map((url, index) => left(index, checked(url, chainId, timeoutMs, fetch)));
  const transport = fallback(transports, { retryCount: RETRIES, retryDelay: RETRY_DELAY_MS, shouldThrow: isFinal });
  return createPublicClient({
    chain: chainOf(chainId, first),
    transport: withDeadline(transport, deadlineMs),
    cacheTime: 0,
    ccipRead: false,
    pollingInterval: 1_000,
  });
}

/** Throws NodeError `settings` for a chain with real money. */
export function refuseMainnet(chainId: number): void {
  const name = MAINNETS[chainId];
  if (name) throw settingsError(`chain ${chainId} is ${name}, a mainnet`);
}

function chainOf(id: number, rpcUrl: string) {
  return defineChain({
    id,
    name: id === ARBITRUM_SEPOLIA ? "Arbitrum Sepolia" : `chain ${id}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
    contracts: { multicall3: { address: "0xcA11bde05977b3631167028862bE2a173976CA11" } },
    testnet: true,
  });
}

/** One URL that answers for the expected chain only: it is asked once, before its first request. */
function checked(url: string, chainId: number, timeout: number, fetch: Fetch | undefined): Transport {
  // An answer from where a redirect leads is not one of the URL that was checked.
  const fetchOptions = { redirect: "manual" } as const;
  const limits = { timeout, maxResponseBodySize: MAX_ANSWER_BYTES };
  const transport = http(url, { ...limits, fetchOptions, ...(fetch ? { fetchFn: fetch } : {}) });
  let right = false;
  return (parameters) => {
    const inner = transport(parameters);
    const request: typeof inner.request = async (args, options) => {
      if (!right) {
        const answered = Number(await inner.request({ method: "eth_chainId" }, options));
        // No answer to the question says nothing about the chain: this or another URL may answer next time.
        if (!Number.isSafeInteger(answered) || answered <= 0) throw new Error("the RPC named no chain id");
        if (answered !== chainId) throw new WrongChainError(wrongChain(url, chainId, answered));
        right = true;
      }
      return inner.request(args, options);
    };
    return { ...inner, request };
  };
}

/** Passes over a URL that said 429 a moment ago, while another one has not. */
function coolingOf(rpcUrls: readonly string[], clock: Pick<Clock, "now">) {
  const coolings = rpcUrls.map(() => createCooling(clock));
  return (index: number, transport: Transport): Transport =>
    (parameters) => {
      const inner = transport(parameters);
      const own = coolings[index];
      const request: typeof inner.request = async (args, options) => {
        if (own?.isOn() && coolings.some((other) => !other.isOn())) throw new CoolingError();
        try {
          return await inner.request(args, options);
        } catch (error) {
          own?.note(error);
          // The last URL's Retry-After would hold up the others' next turn.
          throw own?.isOn() && coolings.length > 1 ? new CoolingError() : error;
        }
      };
      return { ...inner, request };
    };
}

function withDeadline(transport: Transport, deadlineMs: number): Transport {
  return (parameters) => {
    const inner = transport(parameters);
    const request: typeof inner.request = async (args, options) => {
      const controller = new AbortController();
      const timer = setTimeout(
        () => controller.abort(new DOMException("the call took too long", "TimeoutError")),
        deadlineMs,
      );
      try {
        return await inner.request(args, { ...options, signal: controller.signal });
      } finally {
        clearTimeout(timer);
      }
    };
    return { ...inner, request };
  };
}

/** Answers that another URL would only repeat: a wrong chain, a rejected transaction, a revert. */
function isFinal(error: Error): boolean {
  const code = "code" in error ? error.code : undefined;
  return code === WRONG_CHAIN || code === -32003 || code === 3 || /execution reverted/.test(error.message);
}

function wrongChain(url: string, expected: number, answered: number): NodeError {
  const name = MAINNETS[answered];
  return settingsError(
    `${new URL(url).host} serves chain ${answered}${name ? ` (${name}, a mainnet)` : ""}, not ${expected}`,
  );
}

function settingsError(message: string): NodeError {
  return new NodeError("settings", message, {
    retry: "never",
    hint: "Set BLF_RPC_URL and BLF_COFHE_CHAIN_ID to the network's testnet, Arbitrum Sepolia (421614).",
  });
}

/** EIP-1193's "not connected to the requested chain", a code that viem passes on without retrying. */
const WRONG_CHAIN = 4901;

/** Told apart from an answer: no request was sent. */
class CoolingError extends Error {
  override readonly name = "CoolingError";
  readonly status = 429;
  constructor() {
    super("this URL asked to be left alone for a while");
  }
}

class WrongChainError extends Error {
  readonly code = WRONG_CHAIN;
  constructor(cause: NodeError) {
    super("wrong chain", { cause });
  }
}
