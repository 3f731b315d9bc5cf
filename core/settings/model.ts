/**
 * Reader for the list of models to serve, and what an id's prefix says about who runs it. The mock runs only under a
 * name that the operator wrote down (protocol §5): a bare `mock` or `*` would be a fallback, and is refused.
 */
import { ok } from "../result.ts";
import { type Problem, problem, type Reading } from "./setting.ts";
import { splitList } from "./text.ts";

/** Beyond any real id, within what the coordinator takes (core/icl/schema.ts). */
const ID_MAX = 200;

export type ModelBackend = "groq" | "gemini" | "mock" | "openai";

/** Which backend runs an id: by prefix, anything else on the OpenAI-compatible server. */
export function backendOf(modelId: string): ModelBackend {
  const prefix = /^(groq|gemini|mock):/.exec(modelId)?.[1];
  return prefix === "groq" || prefix === "gemini" || prefix === "mock" ? prefix : "openai";
}

/** Model ids, comma-separated; repeated ones once. */
export function readModels(text: string): Reading<string[]> {
  const ids = splitList(text);
  if (ids.length === 0) return problem("malformed", "holds no model id");
  const problems = ids.flatMap((id, index) => check(id, `model ${index + 1} of ${ids.length}`));
  return problems.length > 0 ? { ok: false, refusal: problems } : ok([...new Set(ids)]);
}

/** An id in a message, unless it looks like a key that was pasted into the wrong setting. */
export function quoteModel(id: string): string {
  return /[A-Za-z0-9]{24,}/.test(id) ? `an id of ${id.length} characters` : `"${id}"`;
}

function check(id: string, where: string): Problem[] {
  if (id.length > ID_MAX) {
    return [{ code: "malformed", message: `(${where}) must have ids of at most ${ID_MAX} characters` }];
  }
  if (!/^[\x21-\x7e]+$/.test(id)) {
    return [{ code: "malformed", message: `(${where}) must have ids of ASCII characters without spaces` }];
  }
  if (/^(\*|mock|mock:\*?)$/.test(id)) {
    return [
      {
        code: "unsupported",
        message: `asks for the mock as a fallback (${where}), and no quorum confirms an answer that was made up`,
        fix: "Name each model; for a test network list the mock under a name, as mock:demo.",
      },
    ];
  }
  if (/^(groq|gemini):$/.test(id)) {
    return [{ code: "malformed", message: `names no model after ${id} (${where})` }];
  }
  return [];
}
