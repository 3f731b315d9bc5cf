/** What is wrong with a query, field by field, in one line. */
import type * as z from "zod";

export function problems(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
}
