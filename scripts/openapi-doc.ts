/**
 * Writes docs/operate/sidecar-api.json, the OpenAPI document of the sidecar's API, from its schemas. `--check` writes
 * nothing and fails when the document is out of date.
 */
import { openApiDocument } from "../sidecar/http/openapi.ts";
import { writeOrCheck } from "./generated-page.ts";

/** The whole document as text. */
export function renderOpenApi(): string {
  return `${layOut(openApiDocument(), 0, 0)}\n`;
}

const WIDTH = 120;

/**
 * JSON as the repository's formatter leaves it: an object over several lines, a list of plain values in one where it fits.
 * @param taken characters on the line before the value
 */
function layOut(value: unknown, depth: number, taken: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const pad = "  ".repeat(depth + 1);
  const end = `\n${"  ".repeat(depth)}`;
  if (Array.isArray(value)) {
    const items = value.map((item) => layOut(item, depth + 1, pad.length));
    const line = `[${items.join(", ")}]`;
    // One more for the comma behind it.
    if (!line.includes("\n") && taken + line.length < WIDTH) return line;
    return `[\n${items.map((item) => pad + item).join(",\n")}${end}]`;
  }
  const members = Object.entries(value).map(([name, member]) => {
    const head = `${pad}${JSON.stringify(name)}: `;
    return head + layOut(member, depth + 1, head.length);
  });
  return members.length === 0 ? "{}" : `{\n${members.join(",\n")}${end}}`;
}

if (import.meta.main) writeOrCheck("docs/operate/sidecar-api.json", renderOpenApi());
