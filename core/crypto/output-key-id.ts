/** How an output key is named to the outside: its id in PromptKeyStore and its pair of ciphertext handles (protocol §3). */
import { keccak256, numberToHex, stringToBytes } from "viem/utils";

/** `keccak256(utf8(jobId + ":output-key"))` as 0x and 64 hex digits; `jobId` is the wire's, unchanged. */
export function outputKeyStoreJobId(jobId: string): `0x${string}` {
  return keccak256(stringToBytes(`${jobId}:output-key`));
}

/** Both handles as one value: 0x and twice 32 bytes, big-endian. Throws a RangeError beyond uint256. */
export function outputKeyHandle(high: bigint, low: bigint): `0x${string}` {
  const [first, second] = [high, low].map((handle) => {
    if (handle < 0n || handle >= 1n << 256n) throw new RangeError("a ciphertext handle is a uint256");
    return numberToHex(handle, { size: 32 }).slice(2);
  });
  return `0x${first}${second}`;
}
