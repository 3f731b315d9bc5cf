/**
 * Where the sidecar listens, and the guard before it: no keys, no start; an address that others can reach, only with TLS
 * or with an explicit word that something in front of it does TLS. Time limits on headers and requests are the server's
 * own, so that an idle connection holds nothing. Invariant: once `close` has settled the port is free.
 */
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { BlockList, isIP } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { NodeError } from "../../core/errors.ts";

export interface ListenOptions {
  /** An IP address or a name; loopback by default. */
  host?: string;
  /** 0 takes a free one. */
  port: number;
  /** PEM texts. */
  tls?: { cert: string; key: string };
  /** The operator's word that a tunnel or proxy in front does TLS. */
  allowPlainHttp?: boolean;
  /** How many keys of Workers are known. */
  workerKeys: number;
}

export interface Listening {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  url: string;
  /** Takes no new connections, lets what is being answered finish, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

type App = { fetch(request: Request): Response | Promise<Response> };

const LOOPBACK = "127.0.0.1";
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
/** A job's id may be long, and it stands in the path and in a header. */
const HEADER_MAX_BYTES = 32_768;
const CONNECTIONS_MAX = 256;
const GRACE_MS = 5_000;

/** Throws NodeError `settings` where it is not safe to listen. */
export function checkListen({ host = LOOPBACK, tls, allowPlainHttp = false, workerKeys }: ListenOptions): void {
  if (workerKeys === 0) {
    throw refusal(
      "no Worker's key is set, so the sidecar would answer nobody",
      "Make the keys of both sides with `blindference-edge sidecar keys` and set BLF_SIDECAR_WORKER_KEYS.",
    );
  }
  if (isLoopbackHost(host) || tls !== undefined || allowPlainHttp) return;
  throw refusal(
    `${host} can be reached from other machines, and there is no TLS`,
    "Listen on 127.0.0.1 behind a tunnel, set BLF_SIDECAR_TLS_CERT and BLF_SIDECAR_TLS_KEY, or, where a proxy in front does TLS, BLF_SIDECAR_ALLOW_HTTP=true.",
  );
}

/** Rejects as `checkListen` throws, and with Node's own error where the port is taken. */
export async function listenSidecar(app: App, options: ListenOptions): Promise<Listening> {
  checkListen(options);
  const { host = LOOPBACK, port, tls } = options;
  const server = createServer(app, tls);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address();
  const boundPort = typeof bound === "object" && bound !== null ? bound.port : port;
  const name = isIP(host) === 6 ? `[${host}]` : host;
  let closed: Promise<void> | undefined;
  return {
    url: `${tls === undefined ? "http" : "https"}://${name}:${boundPort}`,
    close(graceMs = GRACE_MS) {
      closed ??= stop(server, graceMs);
      return closed;
    },
  };
}

/** True where nothing outside the machine can connect: 127.0.0.0/8, ::1 and localhost. Every other name may be public. */
export function isLoopbackHost(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === "localhost";
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  return loopback.check(host, family === 6 ? "ipv6" : "ipv4");
}

function createServer(app: App, tls: ListenOptions["tls"]): Server {
  const fetched = getRequestListener((request) => app.fetch(request), { overrideGlobalObjects: false });
  const listener: RequestListener = (request, response) => void fetched(request, response);
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_MAX_BYTES,
  };
  const server =
    tls === undefined ? createHttpServer(limits, listener) : createHttpsServer({ ...limits, ...tls }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

function stop(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close((error) => {
      clearTimeout(cut);
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeIdleConnections();
  });
}

function refusal(message: string, hint: string): NodeError {
  return new NodeError("settings", message, { retry: "never", hint });
}
