/**
 * Changes settings in a `.env` file and leaves everything else as it was: comments, order, unknown names, line ends, and who
 * may read it, until a secret comes in. Invariant: what is written reads back the same through Node's parser, and so do all
 * other names, or the change is refused. The file is replaced in one step.
 */
import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { SETTINGS } from "../core/settings/schema.ts";
import { systemCode, usageError } from "./errors.ts";
import { replaceKeepingMode, replacePrivate } from "./wallet/private-file.ts";

export interface EnvChange {
  set: Readonly<Record<string, string>>;
  /** Lines of these are taken out. */
  remove?: readonly string[];
}

const HEAD = "# Settings of a Blindference Edge node: docs/operate/settings.md. Testnet only.\n";

/** @returns whether the file changed. Throws CliError (`usage`) */
export async function changeEnvFile(path: string, { set, remove = [] }: EnvChange): Promise<boolean> {
  const before = await readEnvText(path);
  const read = parseEnv(before);
  const isThere = Object.entries(set).every(([name, value]) => read[name] === value);
  if (isThere && remove.every((name) => read[name] === undefined)) return false;
  await writeEnvText(path, before, changeEnv(before, { set, remove }));
  return true;
}

/** The file's text; empty where there is none. */
export async function readEnvText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return "";
    throw usageError(`The settings file ${path} cannot be read.`, "Check its permissions.");
  });
}

/** Who may read the file is the operator's to say, until a secret is put into it: then nobody else may. */
export async function writeEnvText(path: string, before: string, after: string): Promise<void> {
  const [old, now] = [parseEnv(before), parseEnv(after)];
  const bringsSecret = Object.keys(now).some((name) => isSecretSetting(name) && now[name] !== old[name]);
  await (bringsSecret ? replacePrivate : replaceKeepingMode)(path, after);
}

/** Whether a setting of this name, or one that it is another name of, is a secret. */
export function isSecretSetting(name: string): boolean {
  return SETTINGS.some(
    (setting) => setting.secret === true && (setting.name === name || setting.aliases?.includes(name) === true),
  );
}

/** @param text the file's; empty where there is none */
export function changeEnv(text: string, { set, remove = [] }: EnvChange): string {
  const names = new Set([...Object.keys(set), ...remove]);
  const waiting = new Map(Object.entries(set));
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = (text === "" ? HEAD : text).replace(/\r?\n$/, "").split(/\r?\n/);
  const kept = lines.flatMap((line) => {
    const name = nameIn(line);
    if (name === null || !names.has(name)) return [line];
    // Of a repeated name the last line counts: the first place is kept, the others go.
    const value = waiting.get(name);
    waiting.delete(name);
    return value === undefined ? [] : [lineOf(name, value)];
  });
  const added = [...waiting].map(([name, value]) => lineOf(name, value));
  const result = `${[...kept, ...added].join(end)}${end}`;
  verify(text, result, { set, remove });
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
function verify(before: string, after: string, { set, remove = [] }: EnvChange): void {
  const [old, now] = [parseEnv(before), parseEnv(after)];
  const wanted: Record<string, string | undefined> = { ...old };
  for (const name of remove) delete wanted[name];
  Object.assign(wanted, set);
  const name = Object.keys({ ...wanted, ...now }).find((key) => now[key] !== wanted[key]);
  if (name === undefined) return;
  throw usageError(`The settings file cannot take ${name} as it is written there.`, `Write ${name} into it by hand.`);
}
