/**
 * What a coordinator's refusal means for the node: one NodeError a status (protocol §1). The answer's body is never
 * repeated, because coordinators echo requests in it. Invariant: only a certain "no" is `never`; a claimed job that is
 * given up costs stake, repeating a call costs nothing.
 */
import { NodeError, type NodeErrorInit } from "../errors.ts";
import type { TransportError } from "../http.ts";

/** The call that failed, as far as an error may name it. */
export interface CallContext {
  /** Our own name for the call, such as `claim`. */
  name: string;
  method: "GET" | "POST";
  /** The coordinator's host. */
  host: string;
  /** The coordinator's clock less ours in ms; null when it never sent a Date. */
  clockSkewMs: number | null;
}

/** Further apart than this, a coordinator that checks timestamps may refuse every signature. */
const NOTABLE_SKEW_MS = 30_000;

export function isNotableSkew(skewMs: number | null): skewMs is number {
  return skewMs !== null && Math.abs(skewMs) >= NOTABLE_SKEW_MS;
}

const REATTEST = "The coordinator does not know this node (any more) or refuses its signature; the node attests again.";
const REACH = "Check BLF_ICL_ENDPOINT and whether the coordinator is up. The node keeps trying.";

/** The error for a status other than 2xx. */
export function refusalError(status: number, call: CallContext, retryAfterMs?: number): NodeError {
  const message = `${call.name}: the coordinator (${call.host}) answered ${status}`;
  const delay = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status >= 300 && status < 400) {
    const hint = "It redirects, and signed requests follow no redirect. Set BLF_ICL_ENDPOINT to the final address.";
    return new NodeError("icl-unreachable", message, { retry: "later", hint });
  }
  if (status === 401 || status === 404) {
    return new NodeError("icl-unknown-node", message, { retry: "later", hint: `${REATTEST}${skewHint(call)}` });
  }
  if (status === 429) {
    const hint = "The coordinator limits requests. The node waits and tries again.";
    return new NodeError("icl-rate-limited", message, { retry: "later", hint, ...delay });
  }
  if (status >= 500 || status === 408 || status === 425) {
    return new NodeError("icl-unreachable", message, { ...lost(call), hint: REACH, ...delay });
  }
  const hint =
    "The coordinator refuses this request for good. Compare this version of the node with the coordinator's.";
  // Asking again costs nothing, and a job must not end because one question was not liked.
  return new NodeError("icl-refused", message, { retry: call.method === "GET" ? "later" : "never", hint });
}

/** A claim of a job that the coordinator does not have, while it does know the node: nothing is owed for it. */
export function unknownJobError(call: CallContext): NodeError {
  const hint = "The coordinator withdrew the job or lost it in a restart. Nothing is owed for it.";
  const message = `${call.name}: the coordinator (${call.host}) does not know the job`;
  return new NodeError("icl-refused", message, { retry: "never", hint });
}

/** An exchange that gave no complete answer. */
export function transportError(error: TransportError, call: CallContext): NodeError {
  const unusable = error.fault === "oversized" || error.fault === "encoding";
  return new NodeError(unusable ? "icl-malformed" : "icl-unreachable", `${call.name}: ${call.host}: ${error.detail}`, {
    ...lost(call),
    hint: REACH,
  });
}

/** A 2xx answer that is not what the protocol says. `where` names fields, never values. */
export function malformedError(where: string, call: CallContext): NodeError {
  return new NodeError("icl-malformed", `${call.name}: the coordinator's answer is malformed (${where})`, {
    ...lost(call),
    hint: "Check that BLF_ICL_ENDPOINT is a coordinator of this network and speaks this version. The node keeps trying.",
  });
}

/** A POST may have taken effect although its answer was lost; a GET changes nothing. */
function lost(call: CallContext): Pick<NodeErrorInit, "retry" | "admitted"> {
  return { retry: "later", admitted: call.method === "POST" ? "unknown" : "no" };
}

function skewHint({ clockSkewMs }: CallContext): string {
  if (!isNotableSkew(clockSkewMs)) return "";
  return ` This machine's clock is ${Math.round(Math.abs(clockSkewMs) / 1000)} s off the coordinator's: correct it.`;
}
