/**
 * A node's HTTP API in a test's own process: answers by method and path what the test gives it, to whoever shows the token
 * that counts there, and keeps what it was asked.
 */
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ADMIN_TOKEN = "admin-token-of-a-fake-node";
export const SPEND_TOKEN = "spend-token-of-a-fake-node";
export const NODE = "0x7Ef5A6135f1FD6a02593eEdC869c6D41D934aef8";

export interface Answer {
  status?: number;
  /** JSON; a text goes out as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  headers: IncomingMessage["headers"];
}

export interface FakeNode {
  url: string;
  /** The settings with which a command finds it. */
  env: Record<string, string>;
  /** `GET /api/status`; several answers are given one after the other, the last one for good. */
  answer(what: string, ...answers: Answer[]): void;
  asked: Asked[];
  close(): Promise<void>;
}

export async function startFakeNode(): Promise<FakeNode> {
  const answers = new Map<string, Answer[]>();
  const asked: Asked[] = [];
  const server = createServer((request, reply) => {
    void bodyOf(request).then((body) => {
      const url = new URL(request.url ?? "/", "http://node");
      const method = request.method ?? "";
      asked.push({
        method,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        body,
        headers: request.headers,
      });
      const what = `${method} ${url.pathname}`;
      const wanted = what === "POST /api/transactions" ? SPEND_TOKEN : ADMIN_TOKEN;
      const isKnown = !url.pathname.startsWith("/api/") || request.headers.authorization === `Bearer ${wanted}`;
      const waiting = answers.get(what) ?? [];
      const given = (waiting.length > 1 ? waiting.shift() : waiting[0]) ?? {
        status: 404,
        body: { error: "not found" },
      };
      const {
        status = 200,
        body: said,
        headers,
      } = isKnown ? given : { status: 401, body: { error: "send the token" } };
      reply.writeHead(status, { "content-type": "application/json", ...headers });
      reply.end(typeof said === "string" ? said : JSON.stringify(said ?? null));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    env: {
      BLF_NODE_URL: url,
      BLF_ADMIN_TOKEN: ADMIN_TOKEN,
      BLF_SPEND_TOKEN: SPEND_TOKEN,
      BLF_CONFIG_DIR: join(tmpdir(), "blindference-edge-no-such-folder"),
    },
    answer: (what, ...given) => void answers.set(what, given),
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? null : JSON.parse(text);
}
