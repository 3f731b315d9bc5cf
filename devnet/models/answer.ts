/**
 * What the devnet's models say: an answer computed from the model and the prompt, so that all nodes of a quorum get the
 * same one, with white space that a careless digest would treat differently from Python's.
 */
import { sha256Hex } from "../../core/crypto/sha256.ts";

const TAG_DIGITS = 12;
const QUOTED_WORDS = 8;
/** Keys that begin so get another answer: a node with a model that disagrees. */
const WRONG_KEY = /^wrong-/;
/** Keys that begin so are no longer valid. */
const REVOKED_KEY = /^revoked-/;

/**
 * @param model the name as the server was asked for it, without a prefix
 * @param prompt as the user wrote it
 * @param key the caller's API key; one that begins with `wrong-` gets a different answer
 */
export async function modelAnswer(model: string, prompt: string, key = ""): Promise<string> {
  const wrong = WRONG_KEY.test(key) ? "\u0000wrong" : "";
  const tag = (await sha256Hex(`${model}\u0000${prompt}${wrong}`)).slice(0, TAG_DIGITS);
  const words = prompt.trim().split(/\s+/).slice(0, QUOTED_WORDS).join(" ");
  return ` Answer ${tag}:\n\n  you asked "${words}".\t\u00a0Noted\u001c by\u3000${model}.\ufeff \r\n`;
}

/** Whether a server takes the key. An empty one and one that begins with `revoked-` it does not. */
export function isValidKey(key: string): boolean {
  return key !== "" && !REVOKED_KEY.test(key);
}

/** Tokens, as roughly as every rule of thumb has it. */
export function countTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}
