/**
 * Takes a cloud prompt's wrapper off (protocol §5). Refuses one whose anchor is not that of its model and prompt: such a
 * node would get another answer from a real model than the rest of its quorum.
 */
import { anchorPrompt } from "../../core/inference/prompt.ts";

/** The user's prompt, or null when the wrapper is missing or wrong. `modelId` is the full id with its prefix. */
export async function unwrapPrompt(modelId: string, wrapped: string): Promise<string | null> {
  const prompt = /^\[seed_anchor:[0-9a-f]{16}\]\n\n([\s\S]*)$/.exec(wrapped)?.[1];
  if (prompt === undefined) return null;
  return (await anchorPrompt(modelId, prompt)) === wrapped ? prompt : null;
}
