/**
 * Who sent a node's request (protocol §1): an EIP-55 address, a timestamp that is near, and an EIP-191 signature over the
 * exact body bytes followed by the timestamp. Refuses anything that is missing, differently spelled or stale. Invariant:
 * the address it gives has signed these very bytes.
 */
import { type Address, checksumAddress, concat, type Hex, isAddress, recoverMessageAddress, stringToBytes } from "viem";
import { ok, type Result } from "../../core/result.ts";
import { type Refusal, refusal, toWire } from "./refusal.ts";

export interface SignedRequest {
  headers: Headers;
  /** As received; empty for a GET. */
  body: Uint8Array<ArrayBuffer>;
}

/** The signer's EIP-55 address, or the first rule that was broken. */
export async function authenticate(
  request: SignedRequest,
  nowSec: number,
  toleranceSec: number,
): Promise<Result<Address, Refusal>> {
  const { headers, body } = request;
  if (!/^application\/json(;|$)/i.test(headers.get("content-type") ?? "")) {
    return refusal("content-type", "Content-Type must be application/json on every node request");
  }
  const address = spelledAddress(headers.get("x-node-address"), "X-Node-Address");
  if (!address.ok) return address;
  const timestamp = headers.get("x-timestamp") ?? "";
  if (!/^[1-9]\d{0,11}$/.test(timestamp)) {
    return refusal("unauthenticated", "X-Timestamp must be unix seconds in decimal");
  }
  if (Math.abs(Number(timestamp) - nowSec) > toleranceSec) {
    return refusal("unauthenticated", `X-Timestamp is more than ${toleranceSec} s from the coordinator's clock`);
  }
  const signature = headers.get("x-signature") ?? "";
  if (!/^0x[0-9a-fA-F]{130}$/.test(signature)) {
    return refusal("unauthenticated", "X-Signature must be 0x and the 130 hex digits of an EIP-191 signature");
  }
  const signer = await signerOf(concat([body, stringToBytes(timestamp)]), signature as Hex);
  if (signer !== address.value) {
    return refusal("unauthenticated", "X-Signature is not X-Node-Address's over the body and the timestamp");
  }
  return ok(address.value);
}

/**
 * The refusal of a call whose path or body names another address than the signer's, or null. The signer's own in another
 * spelling gets a reason of its own, because elsewhere a lower-case one turns a leader into a verifier (protocol §1).
 */
export function refuseForeign(address: string, signer: Address): Response | null {
  if (address === signer) return null;
  if (address.toLowerCase() !== signer.toLowerCase()) {
    return toWire({ kind: "unauthenticated", detail: "the address in the path or the body is not the signer's" });
  }
  const detail =
    "the address must be EIP-55 checksummed: other coordinators take a leader in lower case for a verifier";
  return toWire({ kind: "malformed", detail });
}

function spelledAddress(text: string | null, name: string): Result<Address, Refusal> {
  if (text === null || !isAddress(text, { strict: false })) {
    return refusal("unauthenticated", `${name} must be an address`);
  }
  if (checksumAddress(text) !== text) return refusal("unauthenticated", `${name} must be spelled as EIP-55 says`);
  return ok(text);
}

async function signerOf(message: Uint8Array, signature: Hex): Promise<Address | null> {
  try {
    return await recoverMessageAddress({ message: { raw: message }, signature });
  } catch {
    return null;
  }
}
