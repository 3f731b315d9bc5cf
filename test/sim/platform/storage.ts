/**
 * An object's storage: real SQLite, in memory, behind the platform's surface as far as our objects use it. It outlives
 * the object's instances; a fence tells each access whether its instance is still alive, and refuses the dead.
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";

export type Value = string | number | null | ArrayBuffer;

export interface StorageHooks {
  /** Throws for an instance that is gone. */
  fence(): void;
  /** After each change that is on disk; may kill the instance by throwing. */
  written(): void;
  alarmChanged(atMs: number | null): void;
}

interface Prepared {
  statement: StatementSync;
  reads: boolean;
  /** SQLite gives the last change's count after a definition, which changes no row. */
  defines: boolean;
}

export class SimStorage {
  readonly #db = new DatabaseSync(":memory:");
  #alarmMs: number | null = null;
  #depth = 0;
  #dirty = false;
  #version = 0;
  readonly #statements = new Map<string, Prepared>();

  /** The platform's view for one instance. */
  open(hooks: StorageHooks) {
    const fence = hooks.fence;
    const changed = () => {
      if (this.#depth === 0) hooks.written();
      else this.#dirty = true;
    };
    return {
      sql: {
        exec: (sql: string, ...bindings: Value[]) => {
          fence();
          const result = this.#exec(sql, bindings);
          if (result.rowsWritten > 0) changed();
          return result;
        },
      },
      transactionSync: <T>(work: () => T): T => {
        fence();
        const value = this.#transaction(work);
        if (this.#depth === 0 && this.#dirty) {
          this.#dirty = false;
          hooks.written();
        }
        return value;
      },
      getAlarm: async () => {
        fence();
        return this.#alarmMs;
      },
      setAlarm: async (at: number | Date) => {
        fence();
        this.#alarmMs = Number(at);
        hooks.alarmChanged(this.#alarmMs);
        hooks.written();
      },
      deleteAll: async () => {
        fence();
        this.#wipe();
      },
      deleteAlarm: async () => {
        fence();
        this.#alarmMs = null;
        hooks.alarmChanged(null);
      },
    };
  }

  get alarmMs(): number | null {
    return this.#alarmMs;
  }

  /** A fired alarm is spent. Also for tests that lose one. */
  spendAlarm(): void {
    this.#alarmMs = null;
  }

  restoreAlarm(atMs: number): void {
    this.#alarmMs = atMs;
  }

  /** For tests: reads or changes the rows from outside. */
  query(sql: string, ...bindings: Value[]): Record<string, Value>[] {
    return this.#exec(sql, bindings).toArray();
  }

  /** Rises with every write, so that a reader knows whether to look again. */
  get version(): number {
    return this.#version;
  }

  #exec(sql: string, bindings: Value[]) {
    const { statement, reads, defines } = this.#prepared(sql);
    const values = bindings.map(
      (value): SQLInputValue => (value instanceof ArrayBuffer ? new Uint8Array(value) : value),
    );
    let rows: Record<string, Value>[] = [];
    let rowsWritten = 0;
    if (reads) rows = statement.all(...values).map(plain);
    else {
      const { changes } = statement.run(...values);
      rowsWritten = defines ? 0 : Number(changes);
    }
    if (!reads) this.#version += 1;
    return {
      rowsWritten,
      toArray: () => rows,
      one: () => {
        const [only, ...more] = rows;
        if (only === undefined || more.length > 0) throw new Error("expected exactly one row");
        return only;
      },
    };
  }

  #prepared(sql: string): Prepared {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    const defines = /^\s*(CREATE|ALTER|DROP)\b/i.test(sql);
    const prepared = { statement, reads: statement.columns().length > 0, defines };
    // A change of the schema would leave the others with columns that are no more.
    if (/^\s*(CREATE|ALTER|DROP)/i.test(sql)) this.#statements.clear();
    else this.#statements.set(sql, prepared);
    return prepared;
  }

  #wipe(): void {
    const tables = this.#db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    for (const { name } of tables) this.#db.exec(`DROP TABLE "${String(name)}"`);
    this.#version += 1;
  }

  #transaction<T>(work: () => T): T {
    const name = `s${this.#depth}`;
    this.#db.exec(`SAVEPOINT ${name}`);
    this.#depth += 1;
    try {
      const value = work();
      this.#db.exec(`RELEASE ${name}`);
      return value;
    } catch (error) {
      this.#db.exec(`ROLLBACK TO ${name}`);
      this.#db.exec(`RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }
}

function plain(row: Record<string, SQLOutputValue>): Record<string, Value> {
  const copy: Record<string, Value> = {};
  for (const name in row) {
    const value = row[name] ?? null;
    if (typeof value === "bigint") throw new Error("the platform gives no bigint");
    copy[name] = value instanceof Uint8Array ? value.slice().buffer : value;
  }
  return copy;
}

/** A column that holds text. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("the column holds no text");
  return value;
}
