/**
 * Why the coordinator refuses a call, and the one mapping of that to HTTP. Details are for the caller's log: they say
 * which rule of the protocol was broken and never repeat what was sent.
 */
export type RefusalKind =
  | "malformed"
  | "content-type"
  | "unauthenticated"
  | "unknown-node"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "no-quorum"
  | "unavailable";

export interface Refusal {
  kind: RefusalKind;
  detail: string;
}

/** What strict coordinators answer to a node they do not know: either is allowed (protocol §1). */
export type UnknownNodeStatus = 401 | 404;

const STATUS = {
  malformed: 400,
  "content-type": 415,
  unauthenticated: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "no-quorum": 503,
  unavailable: 503,
} as const satisfies Record<Exclude<RefusalKind, "unknown-node">, number>;

export function refusal(kind: RefusalKind, detail: string): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { kind, detail } };
}

/** `{detail}` with the refusal's status. */
export function toWire({ kind, detail }: Refusal, unknownNode: UnknownNodeStatus = 401): Response {
  return Response.json({ detail }, { status: kind === "unknown-node" ? unknownNode : STATUS[kind] });
}
