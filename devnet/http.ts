/**
 * Serves a fetch handler on loopback for the devnet and for tests. Listens on 127.0.0.1 only, so that nothing outside
 * the machine reaches a service whose keys are public. Invariant: once `close()` has settled the port is free and no
 * connection is left, whatever a client was still waiting for.
 */
import { createServer, type Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { cutOf } from "./cut.ts";

const LOOPBACK = "127.0.0.1";

/** What a Hono app's `fetch` is, and any other web-standard handler. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

export interface Listening {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  url: string;
  port: number;
  /** Cuts every connection and frees the port. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Serves `handler` on 127.0.0.1. Port 0, the default, takes a free one. Rejects with Node's own error when the port is
 * taken (`EADDRINUSE`).
 */
export async function serve(handler: FetchHandler, port = 0): Promise<Listening> {
  // The adapter's own Request and Response must not replace the process's: tests and other services share it.
  const listener = getRequestListener(
    async (request, { outgoing }) => {
      const response = await handler(request);
      const sent = cutOf(response);
      if (sent === undefined || !(outgoing instanceof ServerResponse)) return response;
      breakOff(outgoing, response, sent);
      return RESPONSE_ALREADY_SENT;
    },
    { hostname: LOOPBACK, overrideGlobalObjects: false },
  );
  const server = createServer((request, response) => {
    void listener(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = (server.address() as AddressInfo).port;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${LOOPBACK}:${bound}`,
    port: bound,
    close() {
      closed ??= stop(server);
      return closed;
    },
  };
}

/** The same for a Hono app. */
export function listen(app: { fetch(request: Request): Response | Promise<Response> }, port = 0): Promise<Listening> {
  return serve((request) => app.fetch(request), port);
}

function breakOff(outgoing: ServerResponse, response: Response, sent: Uint8Array): void {
  if (sent.length === 0) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.write(sent, () => outgoing.destroy());
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    // Without this a kept-alive or hanging connection would hold the port until its client lets go.
    server.closeAllConnections();
  });
}
