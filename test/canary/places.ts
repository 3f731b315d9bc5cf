/**
 * Where a leak would show: the files of a node's folder as they lie on disk, every value of every database in them, its
 * log line by line, and every error message that any of these show. A database is read both ways, because a long value
 * is spread over pages, and a deleted one lives on in free ones.
 */
import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Place } from "./search.ts";
import { withSnapshot } from "./snapshot.ts";

/** `file/NODE/PATH`, `row/NODE/PATH/TABLE` and `log/NODE/LINE` of one node's folder, as it is now. */
export function folderPlaces(node: string, folder: string): Promise<Place[]> {
  return withSnapshot(folder, async (copy, files) => {
    const raw = await Promise.all(files.map(async (path) => ({ path, bytes: await readFile(path) })));
    const named = raw.map(({ path, bytes }) => ({ name: `file/${node}/${relative(copy, path)}`, bytes }));
    const logs = raw
      .filter(({ path }) => path.endsWith(".log"))
      .flatMap(({ bytes }) => bytes.toString().split("\n"))
      .map((line, at) => ({ name: `log/${node}/${at + 1}`, bytes: Buffer.from(line) }));
    // After the bytes were taken: opening a database may change its files.
    const rows = files
      .filter((path) => path.endsWith(".sqlite"))
      .flatMap((path) => tablePlaces(`row/${node}/${relative(copy, path)}`, path));
    return [...named, ...rows, ...logs];
  });
}

/** One place for each table: all its values, one after another. */
export function tablePlaces(name: string, path: string): Place[] {
  const database = new DatabaseSync(path);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return tables.map(({ name: table }) => {
      const rows = database.prepare(`SELECT * FROM "${String(table)}"`);
      rows.setReadBigInts(true);
      const values = rows.all().flatMap((row) => Object.values(row));
      return {
        name: `${name}/${String(table)}`,
        bytes: Buffer.concat(values.flatMap((value) => [bytesOf(value), GAP])),
      };
    });
  } finally {
    database.close();
  }
}

const GAP = Buffer.from([0]);

/** Fields that hold what went wrong, in logs, answers and rows alike. */
const ERROR_FIELDS: ReadonlySet<string> = new Set(["reason", "message", "hint", "error", "detail", "failureMessage"]);

/**
 * A place without what differs from run to run: node, job, line, question, number. All places of a kind are collected in
 * the same way.
 */
export function kindOf(place: string): string {
  const [first = "", ...rest] = place.split("/");
  switch (first) {
    case "file":
    case "row":
      return [first, ...rest.slice(1)].join("/").replace(/[0-9a-f]{32,}/g, "ID");
    case "log":
      return first;
    case "http":
    case "traffic": {
      const [, where = ""] = /\/(status|body|line|header)(?:\/[^/]+)?$/.exec(place) ?? [];
      if (first === "http") return `http/${where}`;
      return `traffic/${rest[0]}/${/#\d+\/(request|response)\//.exec(place)?.[1]}/${where}`;
    }
    case "error":
      return `error/${kindOf(rest.join("/"))}`;
    default:
      throw new Error(`a place of no kind: ${place}`);
  }
}

/** `error/…`: every error message in JSON that another place holds. */
export function errorPlaces(places: readonly Place[]): Place[] {
  return places
    .filter(({ name }) => name.startsWith("log/") || name.startsWith("http/"))
    .flatMap(({ name, bytes }) => messagesIn(parsed(bytes)).map((text) => ({ name: `error/${name}`, bytes: text })));
}

function messagesIn(value: unknown): Buffer[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]) =>
    ERROR_FIELDS.has(field) && typeof inner === "string" ? [Buffer.from(inner)] : messagesIn(inner),
  );
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
}

function bytesOf(value: unknown): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value));
}
