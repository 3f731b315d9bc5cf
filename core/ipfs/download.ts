/**
 * Downloads what a CID names (protocol §6): gateways in order, the configured ones first, until one proves its bytes. It
 * hands out nothing unproven, although a prompt's AES tag authenticates too: the other nodes of a quorum hold the same
 * key, and one of them, with a gateway, could otherwise feed this node another prompt and cost it the job.
 */
import { NodeError } from "../errors.ts";
import type { Clock, Fetch, Log } from "../ports.ts";
import type { Result } from "../result.ts";
import { isLoopback } from "../settings/url.ts";
import { createByteCache } from "./cache.ts";
import { type Bytes, blockKey, type Cid, parseCid } from "./cid.ts";
import type { DagRefusal } from "./dag.ts";
import { createGateway, type Gateway, type GatewayFault, gatewayBase } from "./gateway.ts";
import { retrieve } from "./retrieve.ts";

/**
 * The longest prompt blob. No model's context holds more than a few million characters, and eight jobs at once must fit
 * into a Worker's 128 MB with the blob, its plaintext and its text side by side.
 */
export const MAX_PROMPT_BLOB_BYTES = 4 * 1024 * 1024;
/** Protocol §6. */
export const GATEWAY_TIMEOUT_MS = 15_000;
const CACHE_MS = 60_000;
const PROBE_MAX_BYTES = 4_096;
/** Two blobs of the largest size, or hundreds of usual ones. */
const CACHE_BYTES = 2 * MAX_PROMPT_BLOB_BYTES;

/** Asked after the configured ones. The last two serve blocks and CARs by design; the third serves nothing else. */
export const PUBLIC_GATEWAYS: readonly string[] = [
  "https://gateway.pinata.cloud/ipfs",
  "https://ipfs.io/ipfs",
  "https://trustless-gateway.link/ipfs",
  "https://dweb.link/ipfs",
];

export interface IpfsDownloaderOptions {
  /** The operator's own, tried first and in this order; with or without `/ipfs`. */
  gateways: readonly string[];
  /**
   * Asked afterwards: PUBLIC_GATEWAYS by default, none when a configured gateway is on this machine. A local network's
   * content is not on the public one: asking there would only spend the job's time and tell strangers about it.
   */
  publicGateways?: readonly string[];
  /** For all requests to one gateway; GATEWAY_TIMEOUT_MS by default. */
  gatewayTimeoutMs?: number;
  fetch: Fetch;
  clock: Clock;
  log?: Log;
}

export interface IpfsDownloader {
  /**
   * The verified bytes, 15 s a gateway. With `accept`, what it makes of them; its rejection is final and passed on as it
   * is, because the bytes are proven and no other gateway can have better ones: wrong bytes never reach it. Throws
   * `ipfs-unavailable`, `ipfs-mismatch` or `prompt-unreadable` (no such file), or the signal's reason.
   */
  download(cid: string, accept?: undefined, signal?: AbortSignal): Promise<Bytes>;
  download<T>(cid: string, accept: (bytes: Bytes) => T | Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Whether any gateway answers at all, whatever it has. Throws `ipfs-unavailable` when none does. */
  probe(): Promise<void>;
}

/** The empty block, which every gateway knows or can say that it does not. */
const EMPTY_BLOCK = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

/** Throws `settings` when a gateway is no http(s) URL. */
export function createIpfsDownloader(options: IpfsDownloaderOptions): IpfsDownloader {
  const gateways = gatewaysOf(options);
  const cache = createByteCache(options.clock, { ttlMs: CACHE_MS, maxBytes: CACHE_BYTES });

  async function load(text: string, signal: AbortSignal | undefined): Promise<Bytes> {
    const cid = accepted(text);
    const cached = cache.get(blockKey(cid));
    if (cached !== undefined) return cached;
    const bytes = await fromGateways(gateways, cid, options, signal);
    cache.set(blockKey(cid), bytes);
    return bytes;
  }

  function download(cid: string, accept?: undefined, signal?: AbortSignal): Promise<Bytes>;
  function download<T>(cid: string, accept: (bytes: Bytes) => T | Promise<T>, signal?: AbortSignal): Promise<T>;
  async function download<T>(cid: string, accept?: (bytes: Bytes) => T | Promise<T>, signal?: AbortSignal) {
    const bytes = await load(cid, signal);
    return accept === undefined ? bytes : accept(bytes);
  }

  async function probe(): Promise<void> {
    const block = accepted(EMPTY_BLOCK);
    const faults: { host: string; fault: GatewayFault }[] = [];
    for (const gateway of gateways) {
      const answer = await gateway.ask(block, "raw", {
        timeoutMs: options.gatewayTimeoutMs ?? GATEWAY_TIMEOUT_MS,
        maxBytes: PROBE_MAX_BYTES,
      });
      if (answer.ok || !["unreachable", "refused"].includes(answer.refusal.kind)) return;
      faults.push({ host: gateway.host, fault: answer.refusal });
    }
    throw failure(block, faults);
  }

  return { download, probe };
}

function gatewaysOf(options: IpfsDownloaderOptions): Gateway[] {
  const own = options.gateways.map(gatewayBase);
  const local = own.some((base) => isLoopback(base.href));
  const others = (options.publicGateways ?? (local ? [] : PUBLIC_GATEWAYS)).map(gatewayBase);
  const bases = new Map([...own, ...others].map((base) => [base.href, base]));
  return [...bases.values()].map((base) => createGateway(base, options));
}

function accepted(text: string): Cid {
  const cid = parseCid(text);
  if (cid.ok) return cid.value;
  throw new NodeError("ipfs-mismatch", `the CID ${cid.refusal.message}`, {
    retry: "never",
    hint: "The job names content that cannot be verified. Nothing can be done here; the user has to send it again.",
  });
}

async function fromGateways(
  gateways: readonly Gateway[],
  cid: Cid,
  options: IpfsDownloaderOptions,
  signal: AbortSignal | undefined,
): Promise<Bytes> {
  const { clock, log } = options;
  const faults: { host: string; fault: GatewayFault }[] = [];
  for (const gateway of gateways) {
    const startedMs = clock.now();
    const answer: Result<Bytes, GatewayFault | DagRefusal> = await retrieve(gateway, cid, clock, {
      timeoutMs: options.gatewayTimeoutMs ?? GATEWAY_TIMEOUT_MS,
      maxBytes: MAX_PROMPT_BLOB_BYTES,
      signal,
    });
    const fields = { host: gateway.host, cid: cid.toString(), ms: clock.now() - startedMs };
    if (answer.ok) {
      log?.("debug", "ipfs.downloaded", { ...fields, bytes: answer.value.length });
      return answer.value;
    }
    log?.("warn", "ipfs.gateway-failed", { ...fields, reason: answer.refusal.message });
    if (!("kind" in answer.refusal)) throw unusable(cid, answer.refusal);
    faults.push({ host: gateway.host, fault: answer.refusal });
  }
  throw failure(cid, faults);
}

/** Verified blocks say so themselves: the content is no file, or not one this node takes. */
function unusable(cid: Cid, refusal: DagRefusal): NodeError {
  return new NodeError("prompt-unreadable", `the content of ${cid.toString()} ${refusal.message}`, {
    retry: "never",
    hint: "The user uploaded something else than one encrypted prompt. Nothing can be done here.",
  });
}

function failure(cid: Cid, faults: readonly { host: string; fault: GatewayFault }[]): NodeError {
  const account = faults.map(({ host, fault }) => `${host} ${fault.message}`).join("; ") || "none is configured";
  const message = `no gateway gave the content of ${cid.toString()}: ${account}`;
  if (faults.some(({ fault }) => fault.kind === "mismatch" || fault.kind === "oversized")) {
    return new NodeError("ipfs-mismatch", message, {
      // Another gateway, or the same one later, may be honest: the CID itself is sound, and an endless answer proves
      // nothing about the file. One that is too long says so in its verified blocks.
      retry: "later",
      hint: `A gateway sent wrong, unprovable or more than ${MAX_PROMPT_BLOB_BYTES} bytes. Set PINATA_GATEWAY_URL to one that serves ?format=raw or CAR.`,
    });
  }
  return new NodeError("ipfs-unavailable", message, {
    retry: "later",
    hint: "Check this machine's network and PINATA_GATEWAY_URL. Fresh content can take a minute to be found.",
  });
}
