/** The wrapper that cloud models get a prompt in (protocol §5). */
import { sha256Hex } from "../crypto/sha256.ts";

const ANCHOR_DIGITS = 16;

/**
 * `[seed_anchor:H]`, an empty line and the prompt; `H` is the start of a hash over both arguments.
 * @param modelId the full id, with its prefix
 */
export async function anchorPrompt(modelId: string, prompt: string): Promise<string> {
  const anchor = (await sha256Hex(`${modelId}:${prompt}`)).slice(0, ANCHOR_DIGITS);
  return `[seed_anchor:${anchor}]\n\n${prompt}`;
}
