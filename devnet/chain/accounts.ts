/**
 * The devnet's accounts: the development mnemonic that every local chain ships with, known to everyone. Nothing of
 * value may ever be sent to them. Each role has its index, so that a restarted devnet finds the same accounts.
 */
import { type Hex, toHex } from "viem";
import { type HDAccount, mnemonicToAccount } from "viem/accounts";
import { Secret } from "../../core/secret.ts";
import { localSigner, type Signer } from "../../core/signer.ts";

export const DEV_MNEMONIC = "test test test test test test test test test test test junk";

/** How many of them a devnet chain funds and unlocks. The last one belongs to CoFHE's mock verifier. */
export const DEV_ACCOUNTS = 32;

/** Who is who, by index. Nodes follow from `firstNode` on. */
export const DEV_ROLES = { deployer: 0, icl: 1, payment: 2, user: 3, firstNode: 4 } as const;

/** An account as a signer, by index. */
export function devAccount(index: number): Signer {
  return localSigner(new Secret(devPrivateKey(index)));
}

/** The same account's private key, for a node process that takes one. */
export function devPrivateKey(index: number): Hex {
  // Stretching the mnemonic takes tens of milliseconds, a derivation next to nothing.
  parent ??= mnemonicToAccount(DEV_MNEMONIC, { path: "m/44'/60'/0'/0" }).getHdKey();
  const { privateKey } = parent.deriveChild(index);
  if (!privateKey) throw new Error(`development account ${index} has no private key`);
  return toHex(privateKey);
}

/** The n-th node's index, from 0. */
export function nodeIndex(n: number): number {
  const index = DEV_ROLES.firstNode + n;
  if (n < 0 || index >= DEV_ACCOUNTS - 1) throw new Error(`the devnet has no account for node ${n}`);
  return index;
}

let parent: ReturnType<HDAccount["getHdKey"]> | undefined;
