/**
 * The mock attestation of tier 0 (protocol §2): an HMAC of the nonce under a key that everyone knows. It proves nothing
 * but that the node speaks the protocol, and it must match the network's byte for byte.
 */
import { bytesToHex, sha256, stringToBytes } from "viem/utils";
import type { Secret } from "../secret.ts";
import type { Attester } from "./attester.ts";

/** The network's key; no secret. */
const NETWORK_KEY = "weloveblindference";
/** Every mock node of the network claims to run this. */
const RUNTIME = "blindference-node-v0.1.0-mock";
/** SHA-256 of the runtime's name, hex, no 0x. */
export const MOCK_RUNTIME_HASH: string = sha256(stringToBytes(RUNTIME)).slice(2);

/**
 * HMAC-SHA256 of the nonce, 32 bytes.
 * @param key text, UTF-8; the network's by default
 */
export async function mockQuote(nonce: Uint8Array, key: string = NETWORK_KEY): Promise<Uint8Array<ArrayBuffer>> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(key), hmac, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", secret, Uint8Array.from(nonce)));
}

/** @param key `MOCK_ATTESTATION_KEY`; the network's by default */
export function createMockAttester(key?: Secret): Attester {
  return {
    backendType: "mock",
    async quote(nonce) {
      const quote = bytesToHex(await mockQuote(nonce, key?.reveal()));
      return { quote: quote.slice(2), runtimeHash: MOCK_RUNTIME_HASH };
    },
  };
}
