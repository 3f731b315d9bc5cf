/**
 * CoFHE as a node needs it: decrypt a uint128 that was allowed to the node's account, encrypt an output key's halves.
 * Decryption works on every chain; encryption on the devnet's mocks only, and `canEncrypt` says so before a leader's
 * job is claimed. Invariant: no plaintext and none of the SDK's messages leave in an error.
 */
import { DEVNET } from "../chain/addresses.ts";
import { createChainClient } from "../chain/rpc.ts";
import { NodeError } from "../errors.ts";
import type { EncryptedInput } from "../icl/schema.ts";
import type { Clock, Fetch } from "../ports.ts";
import type { Signer } from "../signer.ts";
import { guarded, isPermitRefusal, toCofheError } from "./errors.ts";
import { createMockSender } from "./mock-sender.ts";
import { createPermitKeeper, type PermitStore } from "./permits.ts";
import { type CofheUrls, createSdk } from "./sdk.ts";

export type { CofheUrls, PermitStore };

export interface CofheOptions {
  /** 421614, or 31337 for a devnet with CoFHE's mock contracts. */
  chainId: number;
  rpcUrls: readonly string[];
  urls: CofheUrls;
  signer: Signer;
  permits: PermitStore;
  clock: Clock;
  /** For RPC requests; the SDK itself uses the platform's fetch. Default: the platform's. */
  fetch?: Fetch;
}

export interface EncryptedPair {
  high: EncryptedInput;
  low: EncryptedInput;
}

export interface Cofhe {
  /** Whether `encryptUint128Pair` works on this chain. */
  readonly canEncrypt: boolean;
  /**
   * The plaintext behind a handle, 0 ≤ n < 2^128. Throws the signal's reason when aborted, else NodeError:
   * `key-unavailable` for a handle that is none, `cofhe-refused`, `cofhe-unavailable`, `settings` for a wrong chain.
   */
  decryptUint128(handle: bigint, signal?: AbortSignal): Promise<bigint>;
  /** CoFHE inputs that only the signer's account can store (protocol §3). Throws NodeError. */
  encryptUint128Pair(high: bigint, low: bigint): Promise<EncryptedPair>;
}

/** A decryption that takes longer has failed: the SDK itself polls for 5 minutes, as long as a claim lasts. */
const DECRYPT_TIMEOUT_MS = 120_000;
const UINT128_LIMIT = 1n << 128n;
const UINT256_LIMIT = 1n << 256n;

/** One per object. Does no I/O. Throws NodeError `settings` for a mainnet or when there is no RPC URL. */
export function createCofhe(options: CofheOptions): Cofhe {
  const { chainId, rpcUrls, urls, signer, permits: store, clock, fetch } = options;
  const client = createChainClient({ rpcUrls, chainId, ...(fetch ? { fetch } : {}) });
  const sdk = createSdk({ client, signer, urls, writeMock: createMockSender(client, clock) });
  const permits = createPermitKeeper({ sdk, signer, chainId, store, clock });
  const canEncrypt = chainId === DEVNET;

  async function decrypt(handle: bigint): Promise<bigint> {
    const permit = await permits.current();
    try {
      return await sdk.decrypt(handle, permit);
    } catch (error) {
      if (!isPermitRefusal(error)) throw toCofheError(error, "decrypting a key half");
    }
    // The access control list's address is part of what was signed, and an upgrade may have moved it.
    const renewed = await permits.replace(permit);
    return guarded("decrypting a key half", () => sdk.decrypt(handle, renewed));
  }

  return {
    canEncrypt,
    async decryptUint128(handle, signal) {
      if (handle <= 0n || handle >= UINT256_LIMIT) throw noKey();
      signal?.throwIfAborted();
      const value = await inTime(decrypt(handle), clock, signal);
      if (value < 0n || value >= UINT128_LIMIT) {
        throw new NodeError("cofhe-refused", "CoFHE's answer is not a key half", {
          retry: "never",
          hint: "The user stored something else than two 128-bit halves; the job cannot be done.",
        });
      }
      return value;
    },
    async encryptUint128Pair(high, low) {
      if (!canEncrypt) throw cannotEncrypt(chainId);
      const [first, second] = await guarded("encrypting an output key", () => sdk.encrypt([high, low]));
      return { high: inputOf(first), low: inputOf(second) };
    },
  };
}

/** The SDK takes no signal: on an abort its call is left to run out, and its result is dropped. */
async function inTime<T>(work: Promise<T>, clock: Clock, signal?: AbortSignal): Promise<T> {
  const done = new AbortController();
  const either = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
  const tooLate = clock.sleep(DECRYPT_TIMEOUT_MS, either).then(() => {
    throw new NodeError("cofhe-unavailable", `CoFHE did not decrypt within ${DECRYPT_TIMEOUT_MS / 1000} s`, {
      retry: "later",
      hint: "The threshold network is slow or down; check BLF_COFHE_TN_URL.",
    });
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    done.abort();
  }
}

function inputOf(input: { ctHash: bigint; securityZone: number; utype: number; signature: string } | undefined) {
  if (!input) throw toCofheError(undefined, "encrypting an output key");
  const { ctHash, securityZone, utype, signature } = input;
  return { ctHash: ctHash.toString(), securityZone, utype, signature };
}

function noKey(): NodeError {
  return new NodeError("key-unavailable", "the handle names no key", {
    retry: "never",
    hint: "The coordinator has no key for this job: its user stored none, or the job is unknown.",
  });
}

function cannotEncrypt(chainId: number): NodeError {
  return new NodeError("settings", `this version cannot encrypt output keys on chain ${chainId}`, {
    retry: "never",
    hint: "Set BLF_ROLES=verifier, or BLF_SKIP_OUTPUT_KEY_STORAGE where the coordinator permits it.",
  });
}
