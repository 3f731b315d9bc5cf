/**
 * Request signing for the coordinator (protocol §1): EIP-191 over the exact body text followed by the timestamp. Whoever
 * sends must send the very text that was signed here.
 */
import { getAddress } from "viem/utils";
import type { Signer } from "../signer.ts";

/**
 * The four headers of a node's request.
 * @param body the JSON text exactly as sent; empty where there is no body
 * @param timestampSec unix seconds; fractions are cut off
 */
export async function authHeaders(
  account: Pick<Signer, "address" | "signMessage">,
  body: string,
  timestampSec: number,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(timestampSec));
  return {
    // Checksummed even for an account that came with another spelling: the coordinator compares strings.
    "X-Node-Address": getAddress(account.address),
    "X-Timestamp": timestamp,
    "X-Signature": await account.signMessage({ message: `${body}${timestamp}` }),
    "Content-Type": "application/json",
  };
}
