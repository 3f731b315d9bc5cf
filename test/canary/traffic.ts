/**
 * A reverse proxy between a node and one of its services, which keeps every request and every answer as places: request
 * line, each header, body. It changes nothing but the Host header, and passes cut connections on as it met them. It is
 * never put before a model's server: that one is meant to see the prompt.
 */
import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Place } from "./search.ts";

export interface Recorder {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  url: string;
  /** Where requests go from now on; only the origin counts. Until then they are refused with 503. */
  forwardTo(url: string): void;
  /** `traffic/SERVICE/LABEL#N/request/line`, `…/request/header/NAME`, `…/response/body` and so on. */
  places(): Place[];
  /** Bodies of requests whose label fits. */
  requests(label: RegExp): Buffer[];
  close(): Promise<void>;
}

interface Exchange {
  label: string;
  request: Message;
  response: Message | null;
}

interface Message {
  line: string;
  /** Name, value, name, value, as they came. */
  headers: readonly string[];
  chunks: Buffer[];
}

/** Names an exchange in its places. */
export type Label = (method: string, path: string, body: Buffer) => string;

/** @param keepsHost the service is meant to see by what name it was asked */
export async function startRecorder(
  service: string,
  label: Label = byPath,
  { keepsHost = false }: { keepsHost?: boolean } = {},
): Promise<Recorder> {
  const exchanges: Exchange[] = [];
  let upstream: URL | null = null;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => outgoing.destroy());
    incoming.on("end", () => {
      const { method = "GET", url: target = "/" } = incoming;
      const exchange: Exchange = {
        label: `${label(method, target, Buffer.concat(chunks))}#${exchanges.length + 1}`,
        request: { line: `${method} ${target}`, headers: incoming.rawHeaders, chunks },
        response: null,
      };
      exchanges.push(exchange);
      if (upstream === null) outgoing.writeHead(503).end();
      else forward(upstream, incoming, exchange, outgoing, keepsHost);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forwardTo(url) {
      upstream = new URL(url);
    },
    places: () => exchanges.flatMap((exchange) => placesOf(`traffic/${service}/${exchange.label}`, exchange)),
    requests: (wanted) =>
      exchanges.filter((exchange) => wanted.test(exchange.label)).map((one) => Buffer.concat(one.request.chunks)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A JSON-RPC call by its method, and its contract where it names one: `eth_call→0x…`. */
export const byRpcCall: Label = (method, path, body) => {
  const call = parsed(body);
  if (typeof call !== "object" || call === null || !("method" in call)) return byPath(method, path);
  const [first] = "params" in call && Array.isArray(call.params) ? (call.params as unknown[]) : [];
  const to = typeof first === "object" && first !== null && "to" in first ? `→${String(first.to).toLowerCase()}` : "";
  return `${String(call.method)}${to}`;
};

function byPath(method: string, path: string): string {
  return `${method} ${path.split("?")[0]}`;
}

function forward(
  upstream: URL,
  incoming: IncomingMessage,
  exchange: Exchange,
  outgoing: ServerResponse,
  keepsHost: boolean,
): void {
  const { method, url: path = "/" } = incoming;
  const headers = keepsHost ? incoming.headers : { ...incoming.headers, host: upstream.host };
  const sent: ClientRequest = request({ host: upstream.hostname, port: upstream.port, method, path, headers });
  sent.on("response", (reply) => {
    const response: Message = {
      line: `${reply.statusCode} ${reply.statusMessage}`,
      headers: reply.rawHeaders,
      chunks: [],
    };
    exchange.response = response;
    outgoing.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
    reply.on("data", (chunk: Buffer) => {
      response.chunks.push(chunk);
      outgoing.write(chunk);
    });
    reply.on("end", () => outgoing.end());
    // Broken off: so does ours, after what came.
    reply.on("error", () => outgoing.destroy());
  });
  sent.on("error", () => outgoing.destroy());
  outgoing.on("close", () => sent.destroy());
  sent.end(Buffer.concat(exchange.request.chunks));
}

function placesOf(name: string, { request: asked, response }: Exchange): Place[] {
  const told = response === null ? [] : messagePlaces(`${name}/response`, response);
  return [...messagePlaces(`${name}/request`, asked), ...told];
}

function messagePlaces(name: string, { line, headers, chunks }: Message): Place[] {
  const values = headers.flatMap((header, at) =>
    at % 2 === 0 ? [{ name: `${name}/header/${header.toLowerCase()}`, bytes: Buffer.from(headers[at + 1] ?? "") }] : [],
  );
  return [
    { name: `${name}/line`, bytes: Buffer.from(line) },
    ...values,
    { name: `${name}/body`, bytes: Buffer.concat(chunks) },
  ];
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}
