/**
 * Watches for a secret where it may not be: on command lines of any process, in the environment of wrangler's, and in
 * files of whole folders. A test of the search plants one and finds it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Witness {
  /** Places in which a marker was seen; empty when all is well. */
  found: Set<string>;
  /** How many command lines of wrangler were looked at. */
  seen: number;
  stop(): void;
}

const EVERY_MS = 200;

/**
 * @param markers the secrets' texts; looked for in plain, hex, base64 and URL form
 * @param folder whose files are looked at all the while, also those that are gone in the end
 */
export function watch(markers: readonly string[], folder: string): Witness {
  const forms = formsOf(markers);
  const witness: Witness = { found: new Set(), seen: 0, stop: () => clearInterval(timer) };
  const timer = setInterval(() => {
    for (const file of filesWith(markers, folder)) witness.found.add(file);
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const line = read(`/proc/${pid}/cmdline`);
      if (holds(line, forms)) witness.found.add(`command line: ${line.replaceAll("\0", " ")}`);
      if (!line.includes("wrangler")) continue;
      witness.seen += 1;
      if (holds(read(`/proc/${pid}/environ`), forms)) witness.found.add(`environment of ${line.replaceAll("\0", " ")}`);
    }
  }, EVERY_MS);
  return witness;
}

/** @returns the files below the folder that hold a marker */
export function filesWith(markers: readonly string[], folder: string): string[] {
  const forms = formsOf(markers);
  return entriesOf(folder)
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => holds(read(file), forms));
}

export function formsOf(markers: readonly string[]): string[] {
  return markers.flatMap((marker) => {
    const bytes = Buffer.from(marker);
    // A text inside of a longer base64 one: what comes before and after it decides its ends.
    const inside = [0, 1, 2].map((shift) =>
      Buffer.concat([Buffer.alloc(shift), bytes])
        .toString("base64")
        .slice(4, -4),
    );
    return [marker, bytes.toString("hex"), encodeURIComponent(marker), ...inside];
  });
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true });
  } catch {
    // A folder inside went while it was read.
    return [];
  }
}

function holds(text: string, forms: readonly string[]): boolean {
  return forms.some((form) => text.includes(form));
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // A process or a file that is gone by now.
    return "";
  }
}
