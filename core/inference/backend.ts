/**
 * What answers a prompt. A quorum compares answers byte for byte, so a backend sends exactly the network's request
 * (protocol §5), hands back exactly the model's text, and never makes one up.
 */
import type { Clock, Fetch } from "../ports.ts";

/** `custom`: a module of the operator's own (custom.ts), which only a sidecar loads. */
export type BackendName = "groq" | "gemini" | "openai" | "mock" | "custom";

export interface Backend {
  readonly name: BackendName;
  /**
   * The model's answer, unchanged; an empty one only if the model said so.
   * @param modelId the full id, with its prefix
   * @throws NodeError `model*` without prompt, answer or the provider's words; or the signal's reason
   */
  infer(modelId: string, prompt: string, signal?: AbortSignal): Promise<string>;
  /**
   * Asks the provider whether it takes the key, without using a model, so that a wrong one costs no claimed job.
   * Resolves where it does, or does not say. Absent where there is no key to ask about.
   * @throws NodeError `model-key`, or `model-unavailable` without an answer
   */
  checkKey?(signal?: AbortSignal): Promise<void>;
}

export interface BackendPorts {
  fetch: Fetch;
  clock: Clock;
}

/** Which backend an id's prefix names; any other id is a model of the OpenAI-compatible server, unless a module has it. */
export function backendNameOf(modelId: string): Exclude<BackendName, "custom"> {
  if (modelId.startsWith("groq:")) return "groq";
  if (modelId.startsWith("gemini:")) return "gemini";
  return modelId.startsWith("mock:") ? "mock" : "openai";
}
