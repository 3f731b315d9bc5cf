/**
 * The Worker's HTTP surface under requests of every kind, over the real objects and the history's real schema. Promised of
 * each: an answer with a documented status, JSON that says what is wrong, never a 500, and for a stranger nothing but the
 * door. In shares and from a seed, as test/fuzz/property.ts says.
 */
import { writeSync } from "node:fs";
import { afterAll, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import type { Env } from "../../workers/env.ts";
import { Assignment, Node } from "../../workers/index.ts";
import { createApp } from "../../workers/routes/app.ts";
import { wire } from "../../workers/wiring.ts";
import { type FuzzProperty, must, property, SEED } from "../fuzz/property.ts";
import { provideTimingSafeEqual } from "./platform/compare.ts";
import { SimD1 } from "./platform/d1.ts";
import { SimObjects } from "./platform/objects.ts";
import { type Asked, asked, guardRequest, OPERATOR_TOKEN, requestOf } from "./requests.ts";

const TIMEOUT_MS = 900_000;
/** What docs/operate/api.md says an operator may be answered while nothing is at fault. */
const DOCUMENTED = [200, 202, 400, 404, 409, 413, 422];
/** Closed to the admin token. */
const SPENDING = /^\/api\/transactions\/?$/;
/** These ask the coordinator, which cannot be reached here. */
const ASKING = /^\/api\/(poll|attest)$/;

vi.stubGlobal("fetch", () => Promise.reject(new TypeError("fetch failed")));
const undoCompare = provideTimingSafeEqual();

const nodes = new SimObjects("nodes", (ctx) => new Node(ctx as DurableObjectState, env));
const jobs = new SimObjects("jobs", (ctx) => new Assignment(ctx as DurableObjectState, env));
const env: Env = {
  NODE: nodes as unknown as Env["NODE"],
  ASSIGNMENT: jobs as unknown as Env["ASSIGNMENT"],
  DB: new SimD1().connection() as unknown as Env["DB"],
  BLF_PRIVATE_KEY: `0x${"11".repeat(32)},0x${"22".repeat(32)}`,
  BLF_STORAGE_KEY: "5a".repeat(32),
  BLF_RPC_URL: "https://rpc.test",
  BLF_MODELS: "mock:demo",
  BLF_ADMIN_TOKEN: OPERATOR_TOKEN,
  PINATA_JWT: "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
};
const ours = [...(wire(env).configured?.signers.keys() ?? [])];

const app = createApp({
  exceeds: () => Promise.resolve(false),
  noteFailedSignIn: () => Promise.resolve(false),
  isShutOut: () => false,
});

const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };
const said = z.object({ error: z.union([z.string().min(1), z.object({ code: z.string(), message: z.string() })]) });
const imported = z.object({ nodes: z.array(z.object({ imported: z.int(), conflicts: z.array(z.string()) })) });

interface Answer {
  status: number;
  path: string;
  text: string;
  /** How often the request's body was asked for bytes. */
  pulls: number;
}

/** The answer to a request, hardened as every answer is; null where no client could send it. */
async function answerTo(request: Asked, token: string | null): Promise<Answer | null> {
  const sent = requestOf(request, token);
  if (sent === null) return null;
  const answer = await app.fetch(sent.request, env, context);
  const { status, headers } = answer;
  must(headers.get("cache-control") === "no-store", "no answer is kept");
  must(headers.get("x-content-type-options") === "nosniff", "every answer is hardened");
  return { status, path: new URL(sent.request.url).pathname, text: await answer.text(), pulls: sent.pulls() };
}

function errorOf({ status, text }: Answer): z.infer<typeof said>["error"] {
  const parsed = said.safeParse(JSON.parse(text));
  must(parsed.success, `an answer of ${status} says what is wrong, not ${text.slice(0, 200)}`);
  return said.parse(JSON.parse(text)).error;
}

const operator = property(
  "answers whatever an operator sends as the API's page says",
  6_000,
  asked(ours),
  async (request) => {
    const answer = await answerTo(request, OPERATOR_TOKEN);
    if (answer === null) return;
    const { status, path, text } = answer;
    const allowed = [...DOCUMENTED, ...(ASKING.test(path) ? [502] : []), ...(SPENDING.test(path) ? [403] : [])];
    must(allowed.includes(status), `${status} is documented: ${text.slice(0, 200)}`);
    if (status < 400 || request.method === "HEAD") return;
    // Those two tell of each node by itself what became of it.
    if (status !== 409 && status !== 502) errorOf(answer);
    else z.object({ nodes: z.array(z.unknown()).min(1) }).parse(JSON.parse(text));
  },
);

const stranger = property(
  "tells a stranger nothing, and reads no body of theirs",
  6_000,
  asked(ours),
  async (request) => {
    const answer = await answerTo(request, null);
    if (answer === null) return;
    const { status, path, text, pulls } = answer;
    must(pulls === 0, "no body of a stranger's is read");
    if (path === "/api" || path.startsWith("/api/")) must(status === 401, "the API is closed");
    else must([200, 202, 404].includes(status), `outside of the API there is little: ${status}`);
    if (status >= 400 && request.method !== "HEAD") must(typeof errorOf(answer) === "string", "no reason is given");
    for (const node of ours) must(!text.toLowerCase().includes(node.toLowerCase()), "no node is named");
  },
);

const guard = property(
  "takes a guard's file whole or not at all, and the second time finds nothing new",
  3_000,
  guardRequest(ours),
  async (request) => {
    const first = await answerTo(request, OPERATOR_TOKEN);
    const second = await answerTo(request, OPERATOR_TOKEN);
    if (first === null || second === null) throw new Error("a guard's file can be sent");
    must([200, 400, 409].includes(first.status), `${first.status} is documented`);
    must(first.status === second.status, "the same file has the same answer");
    if (first.status === 400) return void errorOf(first);
    const [was, is] = [first, second].map(({ text }) => imported.parse(JSON.parse(text)).nodes);
    must(is?.every((node) => node.imported === 0) === true, "what is known is not taken again");
    const conflicts = (of: typeof was) => JSON.stringify(of?.map((node) => node.conflicts));
    must(conflicts(was) === conflicts(is), "a conflict stays one");
    const kept = await answerTo({ ...request, method: "GET", body: null }, OPERATOR_TOKEN);
    must(kept?.status === 200 && JSON.parse(kept.text) !== null, "the guard can be exported after any import");
    return undefined;
  },
);

let cases = 0;

describe("the Worker's HTTP surface", () => {
  it("stands here over two nodes", () => {
    expect(wire(env).result.faults.filter(({ severity }) => severity === "fault")).toEqual([]);
    expect(ours.length).toBe(2);
  });

  const properties: FuzzProperty[] = [operator, stranger, guard];
  for (const one of properties) {
    it(one.name, { timeout: TIMEOUT_MS }, async () => {
      cases += await one.run();
    });
  }
});

// The reporter keeps to itself what a passing test prints.
afterAll(() => {
  nodes.dispose();
  jobs.dispose();
  undoCompare();
  vi.unstubAllGlobals();
  writeSync(1, `fuzzing: ${cases} requests from seed ${SEED}\n`);
});
