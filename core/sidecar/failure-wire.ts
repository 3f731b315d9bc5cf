/**
 * Errors on the sidecar's wire, one shape for all: `{error: {code, message, hint, retry, admitted, retryAfterMs?}}`. A
 * NodeError travels as it is, so that the Worker sees the executor's own codes; what the transport refuses has codes of
 * its own, which become `sidecar-*` on the Worker's side. Both ways are exhaustive. Invariant: a foreign error's text
 * never travels.
 */
import * as z from "zod";
import { type ErrorCode, type Failure, NodeError, toFailure } from "../errors.ts";

/** Every code of a NodeError: the compiler sees to it that none is missing. */
const NODE_CODES: Readonly<Record<ErrorCode, true>> = {
  "icl-unreachable": true,
  "icl-unknown-node": true,
  "icl-refused": true,
  "icl-rate-limited": true,
  "icl-malformed": true,
  "key-unavailable": true,
  "cofhe-refused": true,
  "cofhe-unavailable": true,
  "ipfs-unavailable": true,
  "ipfs-mismatch": true,
  "prompt-unreadable": true,
  model: true,
  "model-key": true,
  "model-rate-limited": true,
  "model-unavailable": true,
  "model-refused": true,
  "pin-refused": true,
  "pin-unavailable": true,
  "rpc-unavailable": true,
  "transaction-reverted": true,
  "transaction-refused": true,
  "insufficient-funds": true,
  "gas-price": true,
  "signing-refused": true,
  "action-refused": true,
  deadline: true,
  "leader-absent": true,
  "claim-refused": true,
  "claim-lost": true,
  "submission-refused": true,
  "guard-refused": true,
  withdrawn: true,
  "sidecar-unreachable": true,
  "sidecar-refused": true,
  "sidecar-busy": true,
  "sidecar-malformed": true,
  "payment-unavailable": true,
  "storage-key": true,
  "history-unavailable": true,
  settings: true,
  "attestation-refused": true,
  internal: true,
};

interface Refusal {
  status: number;
  /** What it is on the Worker's side. */
  becomes: ErrorCode;
  retry: Failure["retry"];
  message: string;
  hint: string;
}

const KEYS =
  "Compare BLF_SIDECAR_URL, BLF_SIDECAR_KEY_ID and BLF_SIDECAR_PRIVATE_KEY with the sidecar's settings; its log says what was wrong.";
const VERSIONS = "Bring the Worker and the sidecar to the same version.";

/** What the transport itself refuses. A stranger only ever sees `unauthenticated`, `busy` and `too-many-failures`. */
export const REFUSALS = {
  unauthenticated: {
    status: 401,
    becomes: "sidecar-refused",
    retry: "later",
    message: "the request is not signed as this sidecar asks",
    hint: KEYS,
  },
  stale: {
    status: 401,
    becomes: "sidecar-refused",
    retry: "later",
    message: "the request is more than a minute off the sidecar's clock",
    hint: "Correct the clock of the sidecar's machine.",
  },
  replayed: {
    status: 401,
    becomes: "sidecar-refused",
    retry: "later",
    message: "the request was sent before",
    hint: "If this repeats, somebody between the Worker and the sidecar sends its requests again.",
  },
  digest: {
    status: 400,
    becomes: "sidecar-refused",
    retry: "later",
    message: "the content is not what was signed",
    hint: "Something between the Worker and the sidecar changes requests: find and remove it.",
  },
  mismatch: {
    status: 400,
    becomes: "sidecar-refused",
    retry: "never",
    message: "the headers name another node or job than the request",
    hint: VERSIONS,
  },
  malformed: {
    status: 400,
    becomes: "sidecar-refused",
    retry: "never",
    message: "the request is malformed",
    hint: VERSIONS,
  },
  "too-large": {
    status: 413,
    becomes: "sidecar-refused",
    retry: "never",
    message: "the request is too large",
    hint: VERSIONS,
  },
  "not-found": {
    status: 404,
    becomes: "sidecar-refused",
    retry: "later",
    message: "the sidecar has nothing of this name",
    hint: VERSIONS,
  },
  "too-many-failures": {
    status: 429,
    becomes: "sidecar-busy",
    retry: "later",
    message: "too many requests failed to show a signature",
    hint: KEYS,
  },
} as const satisfies Readonly<Record<string, Refusal>>;
export type RefusalCode = keyof typeof REFUSALS;

const MESSAGE_MAX = 1_000;
const RETRY_AFTER_MAX_MS = 3_600_000;

export const wireFailure = z.object({
  /** Any text, so that a newer sidecar's code can still be read. */
  code: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  message: z.string().max(MESSAGE_MAX),
  hint: z.string().max(MESSAGE_MAX),
  retry: z.enum(["never", "later"]),
  admitted: z.enum(["yes", "no", "unknown"]),
  retryAfterMs: z.exactOptional(z.number().int().min(0).max(RETRY_AFTER_MAX_MS)),
});
export type WireFailure = z.infer<typeof wireFailure>;

export const wireError = z.object({ error: wireFailure });
export type WireError = z.infer<typeof wireError>;

export interface ErrorReply {
  status: number;
  body: WireError;
}

/** A refusal of the transport. `detail` is of our own words: names of fields, never values. */
export function refusalToWire(code: RefusalCode, detail?: string): ErrorReply {
  const { status, retry, message, hint } = REFUSALS[code];
  const said = detail === undefined ? message : `${message}: ${detail}`;
  return { status, body: { error: { code, message: clip(said), hint, retry, admitted: "no" } } };
}

/** Anything thrown. Only a full queue is 503, which tells the Worker to stop claiming for a while. */
export function toWire(error: unknown): ErrorReply {
  const failure = toFailure(error);
  return { status: statusOf(failure), body: { error: failureToWire(failure) } };
}

export function failureToWire(failure: Failure): WireFailure {
  const { code, message, hint, retry, admitted, retryAfterMs } = failure;
  const delay =
    retryAfterMs === undefined
      ? {}
      : { retryAfterMs: Math.min(Math.max(0, Math.ceil(retryAfterMs)), RETRY_AFTER_MAX_MS) };
  return { code, message: clip(message), hint: clip(hint), retry, admitted, ...delay };
}

/** Back to an error of this side. A code that this version does not know stays readable in the message. */
export function fromWire({ code, message, hint, retry, admitted, retryAfterMs }: WireFailure): NodeError {
  const delay = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (isNodeCode(code)) return new NodeError(code, message, { retry, admitted, hint, ...delay });
  const becomes = isRefusalCode(code) ? REFUSALS[code].becomes : "sidecar-refused";
  return new NodeError(becomes, `the sidecar refuses (${code}): ${message}`, { retry, admitted, hint, ...delay });
}

function statusOf({ code, retry }: Failure): number {
  if (code === "sidecar-busy") return 503;
  if (code === "internal") return 500;
  return retry === "never" ? 422 : 502;
}

function isNodeCode(code: string): code is ErrorCode {
  return Object.hasOwn(NODE_CODES, code);
}

function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(REFUSALS, code);
}

function clip(message: string): string {
  return message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX - 1)}…` : message;
}
