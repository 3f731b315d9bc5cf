/**
 * Sets one line of the settings file and leaves every other one as it is. Written beside it and renamed, with the mode it
 * had; a new one is for its owner only.
 */
import { chmod, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";

/** @param value without line breaks or quotes. @returns whether the file changed */
export async function setInEnvFile(file: string, name: string, value: string): Promise<boolean> {
  // A link stays one.
  const path = await realpath(file).catch(() => file);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  });
  const changed = withLine(text ?? "", name, value);
  if (changed === text) return false;
  const mode = text === null ? 0o600 : (await stat(path)).mode & 0o777;
  const beside = `${path}.${process.pid}.tmp`;
  await writeFile(beside, changed, { mode });
  await chmod(beside, mode);
  await rename(beside, path);
  return true;
}

/** The text with `NAME=value` in the place of its last such line, else at the end. */
export function withLine(text: string, name: string, value: string): string {
  const lines = text.split("\n");
  const pattern = new RegExp(`^\\s*(export\\s+)?${name}\\s*=`);
  const index = lines.findLastIndex((line) => pattern.test(line));
  if (index !== -1) {
    lines[index] = `${name}=${value}${lines[index]?.endsWith("\r") === true ? "\r" : ""}`;
    return lines.join("\n");
  }
  const gap = text === "" || text.endsWith("\n") ? "" : "\n";
  return `${text}${gap}${name}=${value}\n`;
}
