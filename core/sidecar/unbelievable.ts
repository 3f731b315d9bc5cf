/**
 * What an answer means that the sidecar did not sign, or no answer: one NodeError each. None is ever a certain "no",
 * because whoever stands in between could end a claimed job with it; nothing but the status of such an answer is repeated.
 */
import { NodeError, type NodeErrorInit } from "../errors.ts";
import type { BytesReply, TransportError } from "../http.ts";
import type { SignatureFault } from "./signature.ts";

/** The call that failed, as far as an error may name it. */
export interface SidecarCall {
  /** Our own name for the call, such as `startExecution`. */
  name: string;
  method: string;
  host: string;
}

const REACH = "Check BLF_SIDECAR_URL, and that the sidecar and its tunnel are up. The node keeps trying.";

export function lostAnswer(error: TransportError, call: SidecarCall): NodeError {
  const unusable = error.fault === "oversized";
  const code = unusable ? "sidecar-malformed" : "sidecar-unreachable";
  return new NodeError(code, `${call.name}: ${call.host}: ${error.detail}`, { ...unsure(call), hint: REACH });
}

/** From a tunnel, from Access, from a proxy, or from a sidecar that does not know this Worker's key. */
export function unsignedAnswer({ status, retryAfterMs }: BytesReply, call: SidecarCall): NodeError {
  const message = `${call.name}: ${call.host} answered ${status} without the sidecar's signature`;
  const delay = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401 || status === 403 || (status >= 300 && status < 400)) {
    const hint =
      "The sidecar does not take this Worker's signature, or Cloudflare Access its service token: compare the BLF_SIDECAR_* settings of both sides and see the sidecar's log.";
    return new NodeError("sidecar-refused", message, { ...unsure(call), hint });
  }
  if (status === 503 || status === 429) {
    return new NodeError("sidecar-busy", message, { ...unsure(call), hint: REACH, ...delay });
  }
  if (status >= 500) return new NodeError("sidecar-unreachable", message, { ...unsure(call), hint: REACH, ...delay });
  const hint = "Something else than the sidecar answers at BLF_SIDECAR_URL.";
  return new NodeError("sidecar-malformed", message, { ...unsure(call), hint });
}

export function forgedAnswer(fault: SignatureFault, call: SidecarCall): NodeError {
  return new NodeError(
    "sidecar-malformed",
    `${call.name}: the signature of ${call.host}'s answer is refused: ${fault}`,
    {
      ...unsure(call),
      hint:
        fault === "key"
          ? "Set BLF_SIDECAR_PUBLIC_KEY to the public key that the sidecar prints at its start."
          : "Something between the Worker and the sidecar changes its answers, or the two are of different versions.",
    },
  );
}

/** An answer that is signed and yet not what this version expects. `where` names fields, never values. */
export function malformedAnswer(where: string, call: SidecarCall): NodeError {
  return new NodeError("sidecar-malformed", `${call.name}: the sidecar's answer is malformed (${where})`, {
    ...unsure(call),
    hint: "Bring the Worker and the sidecar to the same version.",
  });
}

/** Every POST is safe to repeat, yet it may have taken effect; nothing else changes anything. */
function unsure({ method }: SidecarCall): Pick<NodeErrorInit, "retry" | "admitted"> {
  return { retry: "later", admitted: method === "POST" ? "unknown" : "no" };
}
