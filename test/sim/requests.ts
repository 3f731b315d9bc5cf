/**
 * Requests as nobody should send them: paths, queries, methods, headers and bodies around those that the API knows, out
 * of pieces that routers, parsers and databases have stumbled over.
 */
import fc from "fast-check";
import { GUARD_FORMAT, GUARD_VERSION } from "../../core/node/guard-interchange.ts";
import { mutatedBytes, mutatedJson, mutatedText, ODD_JSON } from "../fuzz/mutate.ts";

export const OPERATOR_TOKEN = "an-operators-token-of-many-characters";

/** A body that arrives whole, breaks off after its bytes, or goes on for longer than any limit. */
export type Body = { kind: "whole" | "breaks" | "floods"; bytes: Uint8Array<ArrayBuffer> } | null;

export interface Asked {
  method: string;
  /** With its query. */
  path: string;
  body: Body;
  authorization: string | null;
  type: string | null;
}

const READS = [
  "/",
  "/healthz",
  "/api/status",
  "/api/settings",
  "/api/models",
  "/api/earnings",
  "/api/transactions",
  "/api/events",
  "/api/assignments",
  "/api/assignments/job-1",
  `/api/assignments/0x${"ab".repeat(32)}`,
  "/api/guard",
];
const COMMANDS = ["poll", "attest", "pause", "resume", "drain"].map((command) => `/api/${command}`);
const WRITES = ["/internal/task", ...COMMANDS];
const PATHS = [...READS, ...WRITES];
const METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"];

const PIECES = [
  "/",
  "//",
  "..",
  "/../",
  "%2f",
  "%2e%2e",
  "%00",
  "%0a",
  "%",
  "%E0%A4%A",
  "%c2%85",
  "%ed%a0%80",
  "ж🦊",
  ";",
  "'",
  '"',
  "--",
  "<b>",
  "*",
  ":jobId",
  "x".repeat(600),
  "constructor",
  "__proto__",
];
const VALUES = [
  "",
  "0",
  "1",
  "200",
  "201",
  "-1",
  "1e2",
  "settled",
  "info",
  "accepted",
  "a'--",
  "2026-01-31",
  "2026-01-31T08:00:00Z",
  "2026-02-30",
  "+275760-09-13",
  "9".repeat(400),
  "0x12",
  "null",
  "%00",
  "%ff",
  "x".repeat(600),
];
const NAMES = [
  "limit",
  "cursor",
  "status",
  "node",
  "from",
  "to",
  "after",
  "job",
  "level",
  "__proto__",
  "node[]",
  "",
  "%00",
];

/** @param nodes the deployment's own addresses */
export function asked(nodes: readonly string[]): fc.Arbitrary<Asked> {
  const [node = ""] = nodes;
  const cursors = [`1:${node}:job-1`, `${"9".repeat(15)}:${node}:a:b`, `1:${node}:`, `1:0x${"0".repeat(40)}:%00`];
  const value = fc.oneof(
    fc.constantFrom(...VALUES, ...cursors, ...nodes, node.toLowerCase(), node.toUpperCase()),
    mutatedText([...nodes, ...cursors, "2026-01-31"], PIECES),
  );
  const member = fc.tuple(fc.constantFrom(...NAMES), value).map(([name, given]) => `${name}=${given}`);
  const query = fc
    .array(member, { maxLength: 3 })
    .map((members) => (members.length > 0 ? `?${members.join("&")}` : ""));
  const path = fc.oneof(
    fc.constantFrom(...PATHS),
    mutatedText(PATHS, PIECES).map((text) => `/${text.replace(/^\/+/, "")}`),
    value.map((id) => `/api/assignments/${id}`),
  );
  const call = fc.oneof(
    fc.tuple(fc.constant("GET"), fc.constantFrom(...READS)),
    fc.tuple(fc.constant("POST"), fc.constantFrom(...WRITES)),
    fc.tuple(fc.constantFrom("GET", "HEAD"), path),
    fc.tuple(fc.constantFrom(...METHODS), path),
  );
  return fc
    .record({
      call,
      query: fc.oneof(fc.constant(""), query),
      body: bodyOf(nodes),
      authorization,
      type: fc.constantFrom(null, "application/json", "text/plain", "multipart/form-data", "x"),
    })
    .map(({ call: [method, to], query: by, ...rest }) => ({ method, path: `${to}${by}`, ...rest }));
}

/** A stranger's header; never the operator's. */
const authorization = fc.oneof(
  fc.constantFrom(null, "", "Bearer", "Bearer ", `bearer ${OPERATOR_TOKEN}`, `Basic ${btoa(`:${OPERATOR_TOKEN}`)}`),
  fc.constantFrom(`Bearer ${OPERATOR_TOKEN}x`, `Bearer  ${OPERATOR_TOKEN}`, `Bearer ${"x".repeat(9_000)}`),
);

function bodyOf(nodes: readonly string[]): fc.Arbitrary<Body> {
  const [node = ""] = nodes;
  const texts = mutatedJson([
    { node },
    { node, reason: "a reason" },
    {},
    { node: null, reason: null },
    ...files(nodes),
  ]);
  const bytes = fc.oneof(
    { weight: 5, arbitrary: texts.map(utf8) },
    { weight: 1, arbitrary: mutatedBytes([utf8(JSON.stringify({ node })), utf8("\ufeff{}")]) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_JSON).map(utf8) },
  );
  const kind = fc.constantFrom(
    "whole" as const,
    "whole" as const,
    "whole" as const,
    "breaks" as const,
    "floods" as const,
  );
  return fc.option(fc.record({ kind, bytes }), { freq: 4 });
}

/** `PUT /api/guard` with a file that is nearly sound. */
export function guardRequest(nodes: readonly string[]): fc.Arbitrary<Asked> {
  return mutatedJson(files(nodes)).map((text) => ({
    method: "PUT",
    path: "/api/guard",
    body: { kind: "whole", bytes: utf8(text) },
    authorization: null,
    type: "application/json",
  }));
}

/** Files of this deployment's nodes: usual ones, and ones whose rows contradict one another. */
function files(nodes: readonly string[]): unknown[] {
  const metadata = { format: GUARD_FORMAT, version: GUARD_VERSION, exportedAt: "2027-01-15T08:00:00.000Z" };
  const row = { jobId: "job-1", role: "leader", commitment: "ab".repeat(32), outputCid: "bafk", at: 1_800_000_000_000 };
  const rows = [row, { ...row, jobId: "job-2", role: "verifier" }, { ...row, jobId: "'; DROP TABLE commitments; --" }];
  const rival = { ...row, jobId: "job-3" };
  const rivals = [rival, { ...rival, commitment: "cd".repeat(32) }, { ...rival, at: 0 }];
  return [rows, rivals].map((commitments) => ({ metadata, data: nodes.map((node) => ({ node, commitments })) }));
}

export interface Sent {
  request: Request;
  /** How often the body was asked for bytes. */
  pulls(): number;
}

const FLOOD = new Uint8Array(1 << 20).fill(32);

/** Null where no client could send it: a path that is no URL, a body where the method takes none. */
export function requestOf(
  { method, path, body, authorization: given, type }: Asked,
  token: string | null,
): Sent | null {
  const url = URL.parse(path, "https://node.test");
  if (url === null || url.host !== "node.test") return null;
  const headers = new Headers({ "cf-connecting-ip": "192.0.2.1" });
  const credentials = token === null ? given : `Bearer ${token}`;
  if (credentials !== null) headers.set("authorization", credentials);
  if (type !== null) headers.set("content-type", type);
  const bodiless = method === "GET" || method === "HEAD" || body === null;
  let pulls = 0;
  const stream = bodiless ? null : streamOf(body, () => (pulls += 1));
  const init = { method, headers, body: stream, ...(stream === null ? {} : { duplex: "half" }) };
  return { request: new Request(url, init), pulls: () => pulls };
}

function streamOf({ kind, bytes }: Exclude<Body, null>, pulled: () => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  let given = bytes.length === 0;
  return new ReadableStream(
    {
      pull(controller) {
        pulled();
        if (kind === "floods") return controller.enqueue(FLOOD);
        if (given) return kind === "breaks" ? controller.error(new TypeError("terminated")) : controller.close();
        given = true;
        return controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new TextEncoder().encode(text));
}
