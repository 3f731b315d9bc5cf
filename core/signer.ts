/**
 * The node's account as the rest of core sees it. In edge mode it is a local key; in sidecar mode the signatures come
 * from the sidecar. Code that only needs an address takes `address`; nothing else may reach the private key.
 */
import { type LocalAccount, privateKeyToAccount } from "viem/accounts";
import type { Secret } from "./secret.ts";

export type Signer = LocalAccount;

/** The one function that reaches the private key. Takes `0x` + 64 hex digits; throws on anything else. */
export function localSigner(privateKey: Secret<`0x${string}`>): Signer {
  return privateKeyToAccount(privateKey.reveal());
}
