/**
 * Asks a node everything that its HTTP surface answers, and much that it refuses, as the operator, as a stranger and
 * with a wrong token. Keeps every answer: status, headers and body.
 */
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import type { Place } from "./search.ts";

interface Question {
  method: string;
  path: string;
  body?: string;
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
/** More than a client may get wrong before it is shut out. */
const GUESSES = 25;

/** `http/NODE/METHOD PATH (WHO)/status`, `…/header/NAME` and `…/body`. Starts no job and leaves the node unpaused. */
export async function walk(node: EdgeNode, jobIds: readonly string[]): Promise<Place[]> {
  const tokens = { operator: node.adminToken, stranger: null, impostor: `${node.adminToken.slice(0, -1)}~` };
  const questions = questionsOf(jobIds);
  const places: Place[] = [];
  for (const [who, token] of Object.entries(tokens)) {
    for (const [at, question] of questions.entries()) {
      // A client whose sign-ins fail is shut out soon: these are many clients, whom the edge would tell apart.
      const address = who === "operator" ? "192.0.2.1" : `198.51.100.${at + 1}`;
      places.push(...(await ask(node, who, headersOf(token, address), question)));
    }
  }
  const guess = { method: "GET", path: "/api/status" };
  for (let at = 0; at < GUESSES; at++) {
    places.push(...(await ask(node, `guess ${at + 1}`, headersOf(tokens.impostor, "203.0.113.1"), guess)));
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

function headersOf(token: string | null, address: string): Record<string, string> {
  return { "cf-connecting-ip": address, ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
}

async function ask(node: EdgeNode, who: string, headers: Record<string, string>, question: Question): Promise<Place[]> {
  const { method, path, body } = question;
  const reply = await patiently(`${node.process.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const name = `http/${node.process.name}/${method} ${path} (${who})`;
  return [
    { name: `${name}/status`, bytes: Buffer.from(`${reply.status} ${reply.statusText}`) },
    ...[...reply.headers].map(([header, value]) => ({ name: `${name}/header/${header}`, bytes: Buffer.from(value) })),
    { name: `${name}/body`, bytes: Buffer.from(await reply.arrayBuffer()) },
  ];
}

/** A body that is too long is answered without being read, and the connection closed under the next request. */
async function patiently(url: string, init: RequestInit): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
