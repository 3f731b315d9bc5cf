/** Reads what a node has stored, from the files in its state folder, while it runs or not. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type StoredRow = Record<string, unknown>;

export interface Stored {
  /** Rows of the history. */
  history(sql: string): StoredRow[];
  /** The job's row of each Assignment object, as stored. */
  jobs(): StoredRow[];
  /** Names of the history's migrations in the order in which they were applied. */
  migrations(): unknown[];
}

/** @param stateDir the rig's @param index the n-th node, from 0 */
export function storedOf(stateDir: string, index: number): Stored {
  const state = join(stateDir, `node-${index + 1}`, "state");
  const history = (sql: string) => query(join(state, "d1/miniflare-D1DatabaseObject"), sql);
  return {
    history,
    jobs: () =>
      query(join(state, "do/blindference-edge-Assignment"), "SELECT schema, version, json FROM job ORDER BY json"),
    migrations: () => history("SELECT name FROM d1_migrations ORDER BY id").map(({ name }) => name),
  };
}

/** The rows of a query from every database in a folder. */
function query(folder: string, sql: string): StoredRow[] {
  const files = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  return files.flatMap((name) => {
    const db = new DatabaseSync(join(folder, name), { readOnly: true, timeout: 5_000 });
    try {
      return db.prepare(sql).all();
    } finally {
      db.close();
    }
  });
}
