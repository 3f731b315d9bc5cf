/**
 * The node's account as the rest of core sees it. In edge mode it is a local key; in sidecar mode the signatures come
 * from the sidecar. Code that only needs an address takes `address`; nothing else may reach the private key.
 */
import { type LocalAccount, privateKeyToAccount } from "viem/accounts";
import type { Secret } from "./secret.ts";

export type Signer = LocalAccount & Partial<RequestSigner>;

export interface RequestSignature {
  /** The time that was signed, unix seconds: it may lie a few seconds before the one asked for. */
  timestampSec: number;
  signature: string;
}

/** What signs the requests to the coordinator where the key is elsewhere: there is no signature over just any text. */
export interface RequestSigner {
  /** @param body the JSON text exactly as sent; empty where there is no body */
  signRequest(body: string, timestampSec: number): Promise<RequestSignature>;
}

/** The one function that reaches the private key. Takes `0x` + 64 hex digits; throws on anything else. */
export function localSigner(privateKey: Secret<`0x${string}`>): Signer {
  return privateKeyToAccount(privateKey.reveal());
}
