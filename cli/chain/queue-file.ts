/**
 * The transaction queue's memory on this machine: a SQLite file beside the keystore, for its owner only. One command at a
 * time has it, so that two never race for a nonce. Signed bytes are on disk before they are sent: an interrupted command
 * is gone on with by the next.
 */
import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Sql, SqlValue } from "../../core/chain/sql.ts";
import { CliError } from "../errors.ts";

export interface QueueFile extends Disposable {
  sql: Sql;
}

/** Throws CliError (`refused`) while another command has it. */
export function openQueueFile(path: string): QueueFile {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    chmodSync(path, 0o600);
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT");
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) {
      throw new CliError("Another command of this wallet is sending transactions.", {
        fix: "Wait until it has ended.",
        exit: "refused",
      });
    }
    throw error;
  }
  return {
    sql: { exec: (statement, ...bindings) => run(database, statement, bindings) },
    [Symbol.dispose]: () => database.close(),
  };
}

function run(database: DatabaseSync, statement: string, bindings: readonly SqlValue[]) {
  const rows: Record<string, unknown>[] = database.prepare(statement).all(...bindings);
  return { toArray: () => rows };
}
