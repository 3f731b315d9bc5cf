/**
 * Changes settings in the text of a `.env` file and leaves everything else as it was: comments, order, unknown names. What
 * is written reads back the same through Node's parser, or is refused.
 */
import { parseEnv } from "node:util";
import { usageError } from "../errors.ts";

export interface EnvChange {
  set: Readonly<Record<string, string>>;
  /** Lines of these are taken out. */
  remove?: readonly string[];
}

const HEAD = "# Settings of a Blindference Edge node: docs/operate/settings.md. Testnet only.\n";

/** @param text the file's; empty where there is none */
export function changeEnv(text: string, { set, remove = [] }: EnvChange): string {
  const names = new Set([...Object.keys(set), ...remove]);
  const waiting = new Map(Object.entries(set));
  const lines = (text === "" ? HEAD : text).replace(/\n$/, "").split("\n");
  const kept = lines.flatMap((line) => {
    const name = nameIn(line);
    if (name === null || !names.has(name)) return [line];
    // Of a repeated name the last line counts: the first place is kept, the others go.
    const value = waiting.get(name);
    waiting.delete(name);
    return value === undefined ? [] : [lineOf(name, value)];
  });
  const added = [...waiting].map(([name, value]) => lineOf(name, value));
  const result = `${[...kept, ...added].join("\n")}\n`;
  verify(result, set, remove);
  return result;
}

function nameIn(line: string): string | null {
  return /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(line)?.[1] ?? null;
}

/** Plain where every reader of such files agrees, else in quotes that the value lacks. */
function lineOf(name: string, value: string): string {
  if (/^[A-Za-z0-9_./:,@%+=?&~-]*$/.test(value)) return `${name}=${value}`;
  const quote = ["'", '"', "`"].find((mark) => !value.includes(mark));
  return `${name}=${quote ?? ""}${value}${quote ?? ""}`;
}

/** A value that spans lines, or a quoted one that holds what looks like a setting, would be cut up. */
function verify(text: string, set: Readonly<Record<string, string>>, remove: readonly string[]): void {
  const read = parseEnv(text);
  const wrong = Object.entries(set).find(([name, value]) => read[name] !== value)?.[0];
  const left = remove.find((name) => !(name in set) && read[name] !== undefined);
  const name = wrong ?? left;
  if (name === undefined) return;
  throw usageError(`The settings file cannot take ${name} as it is written there.`, `Write ${name} into it by hand.`);
}
