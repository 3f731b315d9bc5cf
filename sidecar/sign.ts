/**
 * Signatures of the node's key, each behind its policy: requests to the coordinator only as such and only about now,
 * permits only for the sidecar's own sealing keys, transactions only as the signing policy allows. Invariant: what is
 * refused is not signed, whoever asks.
 */
import { NodeError } from "../core/errors.ts";
import { authHeaders } from "../core/icl/sign.ts";
import type { Clock } from "../core/ports.ts";
import { permitFault } from "../core/sidecar/permit-policy.ts";
import type { SignReply, SignRequest } from "../core/sidecar/sign-wire.ts";
import type { Account } from "./accounts.ts";

/** Clocks apart, and a request that was on its way. */
const BEHIND_SEC = 120;
/** Polls are signed five minutes ahead. */
const AHEAD_SEC = 900;

export type Signing = Pick<Account, "signer" | "sealingKeys">;
type Ask<K extends SignRequest["kind"]> = Extract<SignRequest, { kind: K }>;

/** @throws NodeError `signing-refused` */
export async function sign(request: SignRequest, account: Signing, clock: Pick<Clock, "now">): Promise<SignReply> {
  switch (request.kind) {
    case "icl":
      return signIcl(request, account, clock.now());
    case "typed-data":
      return signPermit(request, account);
    case "transaction":
      return signTransaction(request, account);
  }
}

async function signIcl({ body, timestampsSec }: Ask<"icl">, { signer }: Signing, nowMs: number): Promise<SignReply> {
  // Whatever else a text could be good for, a JSON object behind a timestamp is the coordinator's only.
  if (body !== "" && !isObject(body)) throw refused("the body is neither empty nor a JSON object");
  const nowSec = Math.floor(nowMs / 1000);
  if (timestampsSec.some((at) => at < nowSec - BEHIND_SEC || at > nowSec + AHEAD_SEC)) {
    throw offClock();
  }
  const signatures = await Promise.all(
    timestampsSec.map(async (timestampSec) => ({
      timestampSec,
      headers: await authHeaders(signer, body, timestampSec),
    })),
  );
  return { kind: "icl", signatures };
}

async function signPermit({ node, typedData }: Ask<"typed-data">, account: Signing): Promise<SignReply> {
  const { chainId } = account.signer.policy;
  const fault = permitFault(typedData, { node, chainId, sealingKeys: await account.sealingKeys() });
  if (fault !== null) throw refused(fault);
  return { kind: "typed-data", signature: await account.signer.signTypedData(typedData) };
}

async function signTransaction({ transaction }: Ask<"transaction">, { signer }: Signing): Promise<SignReply> {
  return { kind: "transaction", serialized: await signer.signTransaction(transaction) };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function refused(why: string): NodeError {
  return new NodeError("signing-refused", `not signed: ${why}`, {
    retry: "never",
    hint: "The sidecar signs what a node needs and nothing else; bring the Worker and the sidecar to the same version, and check both clocks.",
  });
}

/** Clocks are set right again: that ends no job. */
function offClock(): NodeError {
  const message = `not signed: a timestamp is more than ${BEHIND_SEC} s behind or ${AHEAD_SEC} s ahead of the sidecar's clock`;
  return new NodeError("signing-refused", message, { retry: "later", hint: "Check the sidecar's clock (NTP)." });
}
