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

/** `http/NODE/METHOD PATH (WHO)/status`, `…/header/NAME` and `…/body`. Starts no job and leaves the node unpaused. */
export async function walk(node: EdgeNode, jobIds: readonly string[]): Promise<Place[]> {
  const tokens = { operator: node.adminToken, stranger: null, impostor: `${node.adminToken.slice(0, -1)}~` };
  const questions = questionsOf(jobIds);
  const places: Place[] = [];
  for (const [who, token] of Object.entries(tokens)) {
    for (const question of questions) places.push(...(await ask(node, who, token, question)));
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

async function ask(node: EdgeNode, who: string, token: string | null, question: Question): Promise<Place[]> {
  const { method, path, body } = question;
  const reply = await patiently(`${node.process.url}${path}`, {
    method,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
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
