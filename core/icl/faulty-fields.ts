/** Names the fields at fault in a wire answer. Never values: they come from outside and may be anything. */
import type * as z from "zod";

const SHOWN = 5;

export function faultyFields(error: z.ZodError): string {
  const fields = error.issues.map(({ path }) => (path.length === 0 ? "its type" : path.join(".")));
  return [...new Set(fields)].slice(0, SHOWN).join(", ");
}
