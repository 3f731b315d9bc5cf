/**
 * What listens for a node on this machine: passes each request on to workerd, which listens on a loopback port of its
 * own, and names the client as Cloudflare's edge does. Invariant: `cf-connecting-ip` is the address of the socket,
 * whatever the client sent; the headers that steer Miniflare (`mf-…`) never come from a client.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";

export interface FrontDoor {
  url: string;
  /** Where requests go from now on; until then they get 503. */
  leadTo(workerd: URL): void;
  close(): Promise<void>;
}

/** For one connection only (RFC 9110, 7.6.1); `expect` is answered here. */
const HOP_BY_HOP = ["connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];
/** Addresses that stand for all of this machine's, with one at which it can be reached. */
const EVERYWHERE: Readonly<Record<string, string>> = { "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]" };

/** Rejects with EADDRINUSE and the like where it cannot listen. */
export async function openFrontDoor(host: string, port: number): Promise<FrontDoor> {
  let workerd: URL | null = null;
  const server = createServer((incoming, reply) => {
    if (workerd === null) refuse(reply, 503);
    else passOn(incoming, reply, workerd);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === "*" ? {} : { host }) }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const shown = EVERYWHERE[host] ?? (host.includes(":") ? `[${host}]` : host);
  return {
    url: `http://${shown}:${address.port}`,
    leadTo(url) {
      workerd = url;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function passOn(incoming: IncomingMessage, reply: ServerResponse, workerd: URL): void {
  const { method, url: path = "", socket } = incoming;
  // Only a path: a whole URL is what one sends to a proxy, which this is not.
  if (!path.startsWith("/") || socket.remoteAddress === undefined) {
    refuse(reply, 400);
    return;
  }
  const headers = { ...passedOn(incoming.headers), "cf-connecting-ip": socket.remoteAddress };
  // A connection each: one that is kept may be closed by workerd just as it is used again.
  const outgoing = request({ host: workerd.hostname, port: workerd.port, method, path, headers, agent: false });
  // After the answer has begun, what becomes of it is for its own stream to say.
  outgoing.on("error", () => {
    if (!reply.headersSent) refuse(reply, 502);
  });
  outgoing.on("response", (answer) => {
    // A body that is answered before its end is not wanted: what is left of it is dropped.
    incoming.unpipe(outgoing);
    incoming.resume();
    reply.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedOn(answer.headers));
    answer.on("error", () => reply.destroy());
    answer.pipe(reply);
  });
  incoming.on("error", () => outgoing.destroy());
  reply.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name) && !name.startsWith("mf-")),
  );
}

function refuse(reply: ServerResponse, status: number): void {
  reply.writeHead(status, { "cache-control": "no-store" }).end();
}
