/**
 * Plays the Cloudflare API (CLOUDFLARE_API_BASE_URL) for one token and its accounts, as far as wrangler asks for it. Strict:
 * an unknown path or method, a missing token or a body that the platform would refuse is an error and recorded in
 * `unknown`. Records every request, and fails on command.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Account } from "./account.ts";
import { ROUTES } from "./routes.ts";
import { ApiRefusal } from "./upload.ts";

export interface Failure {
  method: string;
  path: RegExp;
  /** 0: never answers. */
  status: number;
  code: number;
  message: string;
  /** How often; default for ever. */
  times?: number;
}

export interface CloudflareApi {
  url: string;
  accounts: Account[];
  /** Every request, as `METHOD /path`. */
  requests: string[];
  /** Requests that no route knows. */
  unknown: string[];
  failures: Failure[];
  close(): Promise<void>;
}

export async function startCloudflareApi(token: string, accounts: Account[]): Promise<CloudflareApi> {
  const api = { url: "", accounts, requests: [], unknown: [], failures: [] } as Omit<CloudflareApi, "close">;
  const server = createServer((incoming, reply) => {
    answer(api, token, incoming).then(
      (result) => send(reply, 200, { success: true, errors: [], messages: [], ...result }),
      (error: unknown) => {
        const { status, code, message } =
          error instanceof ApiRefusal
            ? error
            : new ApiRefusal(400, 10001, `unexpected by this server: ${String(error)}`);
        send(reply, status, { success: false, errors: [{ code, message }], messages: [], result: null });
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return Object.assign(api, {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

async function answer(api: Omit<CloudflareApi, "close">, token: string, incoming: IncomingMessage) {
  const { method = "", headers } = incoming;
  const url = new URL(incoming.url ?? "/", "http://api.invalid");
  const line = `${method} ${url.pathname}`;
  api.requests.push(line);
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const failure = api.failures.find((one) => one.method === method && one.path.test(url.pathname) && one.times !== 0);
  if (failure !== undefined) {
    if (failure.times !== undefined) failure.times -= 1;
    if (failure.status === 0) await new Promise(() => {});
    throw new ApiRefusal(failure.status, failure.code, failure.message);
  }
  if (headers.authorization !== `Bearer ${token}`) throw new ApiRefusal(401, 10000, "Authentication error");
  for (const route of ROUTES) {
    const match = route.method === method ? route.path.exec(url.pathname) : null;
    if (match === null) continue;
    const account = api.accounts.find(({ id }) => id === match.groups?.account);
    if (match.groups?.account !== undefined && account === undefined) {
      throw new ApiRefusal(403, 10000, "Authentication error");
    }
    return route.answer({
      accounts: api.accounts,
      account,
      name: match.groups?.name ?? "",
      id: match.groups?.id ?? "",
      query: url.searchParams,
      body: new Response(Buffer.concat(chunks), { headers: { "content-type": headers["content-type"] ?? "" } }),
    });
  }
  api.unknown.push(line);
  throw new ApiRefusal(404, 7003, `Could not route to ${url.pathname}`);
}

function send(reply: ServerResponse, status: number, body: unknown): void {
  reply.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
