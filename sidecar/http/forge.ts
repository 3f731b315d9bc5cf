/**
 * For tests of what the sidecar refuses: requests that would be taken, to be altered, and a socket to send them through,
 * so that whatever a header list or a request line can hold arrives as it is.
 */
import { request as send } from "node:http";
import { createSignature, type FieldOccurrence, type RequestDescriptor } from "http-message-sig";
import type { Secret } from "../../core/secret.ts";
import { contentDigest } from "../../core/sidecar/digest.ts";
import { signingKey } from "../../core/sidecar/keys.ts";
import { COVERED, JSON_TYPE, TAG } from "../../core/sidecar/protocol.ts";
import { type About, aboutHeaders, describeRequest, signRequest } from "../../core/sidecar/request-signature.ts";
import { NODE } from "./fake-service.ts";
import { type Listening, listenSidecar } from "./listen.ts";
import { createRig, KEY_ID, NOW_MS, ORIGIN, type Rig, workerSeed } from "./test-rig.ts";

let nonceCount = 0;

export interface Sent extends RequestDescriptor {
  body: string;
}
export interface Reply {
  status: number;
  code: string;
  signed: boolean;
  /** As the sidecar's log has it. */
  reason: unknown;
}

export const BODY = JSON.stringify({ node: NODE, jobId: "job 1" });
export const newNonce = () => `nonce-${String(nonceCount++).padStart(16, "0")}`;

interface Plain {
  url?: string;
  method?: string;
  body?: string;
  about?: About;
}

/** What goes over the wire for `POST /v1/output-keys`, before it is signed. */
async function plain(changes: Plain = {}): Promise<Sent> {
  const { url = `${ORIGIN}/v1/output-keys`, method = "POST", body = BODY } = changes;
  const headers = new Headers({
    "content-type": JSON_TYPE,
    "content-digest": await contentDigest(Uint8Array.from(new TextEncoder().encode(body))),
    ...aboutHeaders(changes.about ?? { node: NODE, jobId: "job 1" }),
  });
  return { ...describeRequest(method, url, headers), body };
}

export async function genuine(changes?: Plain, at = NOW_MS, nonce = newNonce()): Promise<Sent> {
  const request = await plain(changes);
  return { ...(await signRequest(request, signingKey(KEY_ID, workerSeed), { nowMs: at, nonce })), body: request.body };
}

/** Signed by the Worker's key, and yet not as the sidecar asks. */
export async function signedAs(how: {
  components?: readonly string[];
  parameters?: Record<string, string | number | undefined>;
  label?: string;
  seed?: Secret;
}): Promise<Sent> {
  const request = await plain();
  const created = NOW_MS / 1000;
  const { components = COVERED, label = "blf", seed = workerSeed } = how;
  const parameters = { created, expires: created + 60, nonce: newNonce(), keyid: KEY_ID, tag: TAG, ...how.parameters };
  const signer = signingKey(KEY_ID, seed);
  const { signature, signatureInput } = await createSignature(request, { label, components, parameters, signer });
  const fields = [
    ...request.fields,
    { name: "signature-input", value: signatureInput },
    { name: "signature", value: signature },
  ];
  return { ...request, fields };
}

export interface Target {
  rig: Rig;
  server: Listening;
}

/** A sidecar that listens. A new one for each test, because it counts failures. */
export async function startTarget(): Promise<Target> {
  const rig = await createRig();
  return { rig, server: await listenSidecar(rig.app, { port: 0, workerKeys: 1 }) };
}

export function deliverTo({ rig, server }: Target, { method, targetUri, fields, body }: Sent): Promise<Reply> {
  const { host } = new URL(targetUri);
  const { hostname, port } = new URL(server.url);
  const before = rig.logged.length;
  const headers = [["host", host], ...fields.map(({ name, value }) => [name, value])].flat();
  return new Promise((resolve, reject) => {
    const outgoing = send(
      { hostname, port, method, path: targetUri.slice(new URL(targetUri).origin.length), headers, agent: false },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: incoming.statusCode ?? 0,
            code: text.startsWith("{") ? (JSON.parse(text).error?.code ?? "none") : text,
            signed: incoming.headers.signature !== undefined,
            reason: rig.logged[before]?.fields.reason,
          });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === "" ? undefined : body);
  });
}

export const withField = (request: Sent, name: string, change: (value: string) => string | null): Sent => ({
  ...request,
  fields: request.fields.flatMap((field): FieldOccurrence[] => {
    const value = field.name === name ? change(field.value) : field.value;
    return value === null ? [] : [{ name: field.name, value }];
  }),
});
export const without = (request: Sent, name: string) => withField(request, name, () => null);
export const adding = (request: Sent, name: string, value: string): Sent => ({
  ...request,
  fields: [...request.fields, { name, value }],
});
export const fieldOf = ({ fields }: Sent, name: string) => fields.find((field) => field.name === name)?.value ?? "";
export const digestOf = (text: string) => contentDigest(Uint8Array.from(new TextEncoder().encode(text)));

export const STRANGER = { status: 401, code: "unauthenticated", signed: false };
