/**
 * One gateway and the three questions put to it: a single block (`raw`), a whole tree of blocks (`car`) and the file's
 * plain bytes. It says what came back and believes none of it; checking is retrieve.ts's work. Logs and messages name a
 * gateway by its host only, since a dedicated one may carry a token in its URL.
 */
import { NodeError } from "../errors.ts";
import { type HttpLimits, requestBytes, TransportError, type TransportFault } from "../http.ts";
import type { Clock, Fetch } from "../ports.ts";
import { ok, type Result, refuse } from "../result.ts";
import type { Bytes, Cid } from "./cid.ts";

export type Format = "raw" | "car" | "plain";

export interface GatewayFault {
  /**
   * `unreachable`: no complete answer in time. `absent`: it does not have the content. `refused`: an error status.
   * `unsupported`: it cannot answer in this format. `oversized`: the answer was longer than allowed. `mismatch`: the answer
   * is not what the CID names, or nothing proves that it is.
   */
  kind: "unreachable" | "absent" | "refused" | "unsupported" | "oversized" | "mismatch";
  /** A clause after the host's name: "answered 504". */
  message: string;
}

export interface Gateway {
  readonly host: string;
  /** Throws only the signal's reason. */
  ask(cid: Cid, format: Format, limits: HttpLimits): Promise<Result<Bytes, GatewayFault>>;
}

const MEDIA_TYPES: Record<Format, string> = {
  raw: "application/vnd.ipld.raw",
  car: "application/vnd.ipld.car; version=1; order=dfs; dups=n",
  plain: "application/octet-stream, */*;q=0.1",
};
const ABSENT = new Set([404, 410, 451]);
/** How gateways without trustless formats decline them; any of them is worth a question in another format. */
const UNSUPPORTED = new Set([400, 405, 406, 415, 501]);

/**
 * A gateway's base as an operator may write it: with or without `/ipfs`, with or without trailing slashes. The result
 * ends in `/ipfs`, added once where it is lacking; a query is kept. Throws `settings` when it is no http(s) URL.
 */
export function gatewayBase(text: string): URL {
  const url = URL.parse(text.trim());
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new NodeError("settings", "an IPFS gateway is not an http or https URL", {
      retry: "never",
      hint: "Set PINATA_GATEWAY_URL to the gateway's full URL, for example https://ipfs.io/ipfs.",
    });
  }
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith("/ipfs") ? path : `${path}/ipfs`;
  url.hash = "";
  return url;
}

/** Asks for formats both ways a gateway may listen for them: `?format=` and the Accept header. */
export function createGateway(base: URL, ports: { fetch: Fetch; clock: Clock }): Gateway {
  return {
    host: base.host,
    async ask(cid, format, limits) {
      const url = new URL(base);
      url.pathname = `${base.pathname}/${cid.toString()}`;
      if (format !== "plain") url.searchParams.set("format", format);
      const request = new Request(url, { headers: { accept: MEDIA_TYPES[format] } });
      try {
        // Some gateways send every CID to a host of its own; the request carries nothing that is secret.
        const reply = await requestBytes(ports.fetch, ports.clock, request, { ...limits, redirect: "follow" });
        return reply.status === 200 ? ok(reply.bytes) : refuse(statusFault(reply.status, format));
      } catch (error) {
        if (error instanceof TransportError) return refuse(TRANSPORT_FAULTS[error.fault]);
        throw error;
      }
    },
  };
}

const TRANSPORT_FAULTS: Record<TransportFault, GatewayFault> = {
  timeout: { kind: "unreachable", message: "did not answer in time" },
  connection: { kind: "unreachable", message: "could not be reached" },
  cut: { kind: "unreachable", message: "broke off its answer" },
  encoding: { kind: "unreachable", message: "broke off its answer" },
  oversized: { kind: "oversized", message: "sent more than is taken" },
};

function statusFault(status: number, format: Format): GatewayFault {
  const message = `answered ${status}`;
  if (ABSENT.has(status)) return { kind: "absent", message };
  if (format !== "plain" && UNSUPPORTED.has(status)) return { kind: "unsupported", message };
  return { kind: "refused", message };
}
