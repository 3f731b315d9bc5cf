/**
 * JSON without rounding: an integer beyond ±2^53 becomes a bigint, everything else is as from JSON.parse, which does the
 * parsing; its reviver sees each number's source text. Refuses deep nesting (the reviver recurses) and drops `__proto__`
 * members, which a later copy would turn into a prototype. Errors never quote the text.
 */

/** Ten times what any answer needs, a quarter of what overflows the smallest stack measured. */
const MAX_DEPTH = 512;
const EXACT_END = 1n << 53n;

/**
 * Parses JSON text; handles arrive as bare integers of up to 78 digits (protocol §1).
 * @throws SyntaxError when the text is not JSON or is nested deeper than 512 levels
 */
export function parseLossless(text: string): unknown {
  if (nestsDeeperThan(text, MAX_DEPTH))
    throw new SyntaxError(`the JSON text is nested deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(text, revive);
  } catch (error) {
    // The platform's message quotes the text.
    if (error instanceof SyntaxError) throw new SyntaxError("the text is not valid JSON");
    throw error;
  }
}

function revive(key: string, value: unknown, context?: { source?: string }): unknown {
  if (key === "__proto__") return undefined;
  if (typeof value !== "number") return value;
  if (context?.source === undefined) throw new Error("this runtime's JSON.parse gives no source text");
  if (!/^-?\d{16,}$/.test(context.source)) return value;
  const exact = BigInt(context.source);
  return exact > EXACT_END || exact < -EXACT_END ? exact : value;
}

/** Whether brackets outside of strings nest deeper than `limit`; says nothing about the text being JSON. */
function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted) {
      if (character === "\\") i += 1;
      else quoted = character !== '"';
    } else if (character === '"') quoted = true;
    else if (character === "[" || character === "{") {
      depth += 1;
      if (depth > limit) return true;
    } else if (character === "]" || character === "}") depth -= 1;
  }
  return false;
}
