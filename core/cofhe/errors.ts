/**
 * What the CoFHE SDK throws, as NodeErrors. Its messages and contexts are read for classification and never passed on:
 * a failed encryption's hold the plaintext key (protocol §8). What gets out are our own words, the SDK's error code, an
 * HTTP status, and the name of a refusal from the short list below.
 */
import { nodeErrorIn } from "../chain/errors.ts";
import { NodeError } from "../errors.ts";

export type CofheStep = "decrypting a key half" | "encrypting an output key" | "signing a permit";

/** Why CoFHE said no: the account may not read this ciphertext, or the permit itself is no good. */
type Refusal = { kind: "access" | "permit" | "request"; reason: string };

interface ErrorLike {
  name?: unknown;
  code?: unknown;
  message?: unknown;
  context?: { status?: unknown };
}

/**
 * `cofhe-refused` for a refusal: retry never for a bad permit or request, later for missing access, which may still be
 * on its way from the chain. Anything else is `cofhe-unavailable`, later. A NodeError of ours inside comes out as it is.
 */
export function toCofheError(error: unknown, step: CofheStep): NodeError {
  const own = nodeErrorIn(error);
  if (own) return own;
  const refusal = refusalIn(error);
  if (refusal) {
    return new NodeError("cofhe-refused", `CoFHE refused ${step} (${refusal.reason})`, {
      retry: refusal.kind === "access" ? "later" : "never",
      hint:
        refusal.kind === "access"
          ? "The job's user has not allowed this node's address to read the key, or the grant is not visible yet."
          : "Check BLF_COFHE_CHAIN_ID, the clock, and that the key belongs to the node's address.",
    });
  }
  return new NodeError("cofhe-unavailable", `CoFHE failed at ${step} (${faultOf(error)})`, {
    retry: "later",
    hint: "Check BLF_COFHE_ENDPOINT and the CoFHE services (BLF_COFHE_URL, BLF_COFHE_TN_URL).",
  });
}

/** Runs `work` and throws what it throws as `toCofheError` sees it. */
export async function guarded<T>(step: CofheStep, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toCofheError(error, step);
  }
}

/** Whether CoFHE refused the permit itself, so that a new one may be taken. */
export function isPermitRefusal(error: unknown): boolean {
  return refusalIn(error)?.kind === "permit";
}

function refusalIn(error: unknown): Refusal | null {
  const { message, context } = (error ?? {}) as ErrorLike;
  const text = typeof message === "string" ? message : "";
  const permit = /PermissionInvalid_(Expired|IssuerSignature|RecipientSignature|Disabled)/.exec(text);
  if (permit) return { kind: "permit", reason: permit[0] };
  if (/not.?allowed|access denied|not.?authori[sz]ed/i.test(text)) return { kind: "access", reason: "NotAllowed" };
  const status = context?.status;
  if (status === 401 || status === 403) return { kind: "access", reason: `HTTP ${status}` };
  if (status === 400 || status === 422) return { kind: "request", reason: `HTTP ${status}` };
  return null;
}

function faultOf(error: unknown): string {
  const { code, name, context } = (error ?? {}) as ErrorLike;
  const status = typeof context?.status === "number" ? `, HTTP ${context.status}` : "";
  if (typeof code === "string" && /^[A-Z_]{1,60}$/.test(code)) return `${code}${status}`;
  return typeof name === "string" && /^\w{1,60}$/.test(name) ? name : "unknown error";
}
