/** API keys as people paste them: quotes and white space around them come off (protocol §5). */
import { NodeError } from "../errors.ts";
import type { Secret } from "../secret.ts";

/**
 * The key as a header can carry it.
 * @param setting the setting's name, for the error
 * @throws NodeError `model-key` when nothing is left or a header cannot hold it; fetch would quote it in its own error
 */
export function headerKey(key: Secret, setting: string): string {
  const text = key.reveal().replace(/^[\s"'`]+|[\s"'`]+$/g, "");
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new NodeError("model-key", `${setting} is empty or holds characters that no key has`, {
    retry: "never",
    hint: `Set ${setting} to the key alone.`,
  });
}
