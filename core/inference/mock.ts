/** The network's mock model (protocol §5): a hash in place of an answer. It runs only where an operator listed it. */
import { sha256Hex } from "../crypto/sha256.ts";
import type { Backend } from "./backend.ts";

export function createMockBackend(): Backend {
  return {
    name: "mock",
    async infer(modelId, prompt, signal) {
      signal?.throwIfAborted();
      return `MOCK_OUTPUT_${await sha256Hex(`${modelId}:${prompt}`)}`;
    },
  };
}
