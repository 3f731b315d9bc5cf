/**
 * The OpenAPI 3.1 document of the sidecar's API, made from the endpoints and their schemas, so that it cannot say
 * anything else than the code. `scripts/openapi-doc.ts` writes it.
 */
import * as z from "zod";
import { ENDPOINTS, type Endpoint } from "../../core/sidecar/endpoints.ts";
import { REFUSALS, wireError } from "../../core/sidecar/failure-wire.ts";
import { ATTEMPT_HEADER, COVERED, JOB_HEADER, JSON_TYPE, NODE_HEADER, TAG } from "../../core/sidecar/protocol.ts";
import { VERSION } from "../../core/version.ts";

type Json = Record<string, unknown>;

const ABOUT = `Blindference Edge's sidecar. Every request but \`healthz\` is signed by RFC 9421 (Ed25519, tag \`${TAG}\`) over
${COVERED.map((name) => `\`${name}\``).join(", ")}, with \`created\`, \`expires\`, \`nonce\`, \`keyid\` and \`tag\`; the digest is RFC 9530's with
SHA-256. A header that does not apply is \`@none\`. Every answer to a request whose signature fits is signed by the
sidecar over its status, its content, and the request with its nonce.`;

/** 401 and 429 are the only ones that are not signed, unless the request's signature fitted. */
const ERROR_STATUSES: Readonly<Record<number, string>> = {
  400: "Malformed, or the content or headers are not what was signed.",
  401: "The request is not signed as the sidecar asks, too old, or was sent before.",
  404: "There is no such route.",
  413: "The request is too large.",
  422: "Refused for good: `error.code` says why.",
  429: "Too many requests failed to show a signature.",
  500: "A bug of the sidecar's.",
  502: "Something that the sidecar depends on failed: try again later.",
  503: "The queue is full: `Retry-After` and `error.retryAfterMs` say when to try again.",
};

export function openApiDocument(): Json {
  const paths: Record<string, Json> = {};
  for (const [name, endpoint] of Object.entries<Endpoint>(ENDPOINTS)) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operation(name, endpoint) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Blindference Edge sidecar", version: VERSION, description: ABOUT.replaceAll("\n", " ") },
    paths,
    components: {
      securitySchemes: {
        signature: { type: "apiKey", in: "header", name: "Signature", description: "RFC 9421, with Signature-Input." },
      },
      schemas: { Error: jsonSchema(wireError) },
      "x-refusals": Object.fromEntries(Object.entries(REFUSALS).map(([code, { message }]) => [code, message])),
    },
  };
}

function operation(name: string, endpoint: Endpoint): Json {
  const { summary, statuses, body } = endpoint;
  const isPublic = endpoint.isPublic === true;
  const content = contentOf(endpoint);
  const successes = Object.entries(statuses).map(([status, description]) => [status, { description, content }]);
  const failures = Object.entries(ERROR_STATUSES).map(([status, description]) => [
    status,
    { description, content: { [JSON_TYPE]: { schema: { $ref: "#/components/schemas/Error" } } } },
  ]);
  return {
    operationId: name,
    summary,
    ...(isPublic ? {} : { security: [{ signature: [] }] }),
    parameters: [...pathParameters(endpoint), ...(isPublic ? [] : headerParameters())],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { [JSON_TYPE]: { schema: jsonSchema(body) } } } }),
    responses: Object.fromEntries([...successes, ...(isPublic ? [] : failures)]),
  };
}

function contentOf({ reply, isText }: Endpoint): Json {
  return isText === true
    ? { "text/plain": { schema: { type: "string" } } }
    : { [JSON_TYPE]: { schema: jsonSchema(reply) } };
}

function pathParameters({ params }: Endpoint): Json[] {
  return Object.entries(params?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: "path",
    required: true,
    schema: jsonSchema(schema),
  }));
}

function headerParameters(): Json[] {
  const texts: Record<string, string> = {
    "Content-Digest": "RFC 9530, sha-256, of the content or of no bytes.",
    [NODE_HEADER]: "The node that the request is about, EIP-55, or @none.",
    [JOB_HEADER]: "The job, percent-encoded, or @none.",
    [ATTEMPT_HEADER]: "How often this was tried, from 1, or @none.",
    "Signature-Input": "RFC 9421.",
  };
  return Object.entries(texts).map(([name, description]) => ({
    name,
    in: "header",
    required: true,
    description,
    schema: { type: "string" },
  }));
}

/** What travels: the encoded side of a codec. OpenAPI 3.1's dialect is JSON Schema's of 2020-12. */
function jsonSchema(schema: z.core.$ZodType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" });
  return rest;
}
