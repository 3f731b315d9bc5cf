/**
 * Asks a node everything that its HTTP surface answers, and much that it refuses, as the operator, as a stranger and
 * with a wrong token. Keeps every answer: status, headers and body.
 */
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { buffer } from "node:stream/consumers";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import type { Place } from "./search.ts";

/** What a walk needs of a node. */
export interface Walked {
  process: Pick<EdgeNode["process"], "name" | "url">;
  adminToken: string;
}

interface Question {
  method: string;
  path: string;
  body?: string;
}

interface Asker {
  who: string;
  token: string | null;
  address: string;
}

interface Sent extends Question {
  address: string;
  headers: OutgoingHttpHeaders;
}

interface Reply {
  status: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const PATHS = [
  "/",
  "/healthz",
  "/metrics",
  "/dashboard",
  "/nothing/here",
  "/internal/task",
  "/api",
  "/api/status",
  "/api/status?node=nobody",
  "/api/settings",
  "/api/models",
  "/api/earnings",
  "/api/transactions",
  "/api/guard",
  "/api/events",
  "/api/certificates",
  "/api/assignments?limit=200",
  "/api/assignments?limit=0&cursor=x&status=!",
  "/api/assignments?status=failed",
  "/api/assignments/no-such-job",
  `/api/assignments/${"x".repeat(600)}`,
  "/api/nothing",
];
const COMMANDS = ["poll", "attest", "resume", "nothing"];
/** Over what the API takes. */
const HUGE = "x".repeat(70_000);
const ATTEMPTS = 5;
/** Over twice what a client may get wrong in a minute: one may end in between. */
const GUESSES = 45;

/** `http/NODE/METHOD PATH (WHO)/status`, `…/header/NAME` and `…/body`. Starts no job and leaves the node unpaused. */
export async function walk(node: Walked, jobIds: readonly string[]): Promise<Place[]> {
  const tokens = { operator: node.adminToken, stranger: null, impostor: `${node.adminToken.slice(0, -1)}~` };
  const questions = questionsOf(jobIds);
  const places: Place[] = [];
  for (const [who, token] of Object.entries(tokens)) {
    for (const [at, question] of questions.entries()) {
      // A client whose sign-ins fail is shut out soon: these are many clients, each with an address of its own.
      const address = who === "operator" ? "127.0.1.1" : `127.0.2.${at + 1}`;
      places.push(...(await ask(node, { who, token, address }, question)));
    }
  }
  const guess = { method: "GET", path: "/api/status" };
  for (let at = 0; at < GUESSES; at++) {
    places.push(...(await ask(node, { who: `guess ${at + 1}`, token: tokens.impostor, address: "127.0.3.1" }, guess)));
  }
  return places;
}

function questionsOf(jobIds: readonly string[]): Question[] {
  const paths = [...PATHS, ...jobIds.map((jobId) => `/api/assignments/${encodeURIComponent(jobId)}`)];
  const commands = COMMANDS.flatMap((command): Question[] =>
    ["", "{", HUGE, '{"node":"nobody"}'].map((body) => ({ method: "POST", path: `/api/${command}`, body })),
  );
  return [
    ...paths.map((path) => ({ method: "GET", path })),
    ...["HEAD", "OPTIONS", "DELETE"].map((method) => ({ method, path: "/api/status" })),
    ...commands,
    { method: "POST", path: "/internal/task", body: '{"role":"leader","request":{}}' },
  ];
}

async function ask(node: Walked, { who, token, address }: Asker, question: Question): Promise<Place[]> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const reply = await patiently(node.process.url, { address, headers, ...question });
  const name = `http/${node.process.name}/${question.method} ${question.path} (${who})`;
  return [
    { name: `${name}/status`, bytes: Buffer.from(reply.status) },
    ...Object.entries(reply.headers).map(([header, value]) => ({
      name: `${name}/header/${header}`,
      bytes: Buffer.from([value].flat().join(", ")),
    })),
    { name: `${name}/body`, bytes: reply.body },
  ];
}

/** A body that is too long is answered without being read, and the connection may be closed under it. */
async function patiently(url: string, sent: Sent): Promise<Reply> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(url, sent);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** From a loopback address of the client's own: all of 127/8 is this machine on Linux. A node goes by the socket alone. */
function send(url: string, { address, method, path, headers, body }: Sent): Promise<Reply> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, method, headers, localAddress: address, agent: false };
    const outgoing = request(options, (answer) => {
      const status = `${answer.statusCode} ${answer.statusMessage}`;
      buffer(answer).then((bytes) => resolve({ status, headers: answer.headers, body: bytes }), reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
