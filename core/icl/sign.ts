/**
 * Request signing for the coordinator (protocol §1): EIP-191 over the exact body text followed by the timestamp. Whoever
 * sends must send the very text that was signed here.
 */
import { getAddress } from "viem/utils";
import type { RequestSignature, Signer } from "../signer.ts";

export type RequestAccount = Pick<Signer, "address" | "signMessage" | "signRequest">;

/**
 * The four headers of a node's request.
 * @param body the JSON text exactly as sent; empty where there is no body
 * @param timestampSec unix seconds; fractions are cut off
 */
export async function authHeaders(
  account: RequestAccount,
  body: string,
  timestampSec: number,
): Promise<Record<string, string>> {
  const signed = await sign(account, body, Math.floor(timestampSec));
  return {
    // Checksummed even for an account that came with another spelling: the coordinator compares strings.
    "X-Node-Address": getAddress(account.address),
    "X-Timestamp": String(signed.timestampSec),
    "X-Signature": signed.signature,
    "Content-Type": "application/json",
  };
}

async function sign(account: RequestAccount, body: string, timestampSec: number): Promise<RequestSignature> {
  if (account.signRequest !== undefined) return account.signRequest(body, timestampSec);
  return { timestampSec, signature: await account.signMessage({ message: `${body}${timestampSec}` }) };
}
