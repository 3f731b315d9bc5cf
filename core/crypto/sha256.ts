/** SHA-256 over bytes or over a text's UTF-8, by the platform's WebCrypto. */
import { bytesToHex } from "viem/utils";

/** 32 bytes. */
export async function sha256(data: Uint8Array<ArrayBuffer> | string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** 64 lowercase hex digits, no 0x. */
export async function sha256Hex(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  return bytesToHex(await sha256(data)).slice(2);
}
