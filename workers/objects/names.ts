/** Names of Durable Objects. A job id is opaque and of any length, so it goes into a name only as its hash. */
import { sha256, stringToBytes } from "viem";

/** One Assignment object per (node, job). */
export function assignmentName(node: string, jobId: string): string {
  return `${node}/${sha256(stringToBytes(jobId)).slice(2)}`;
}
