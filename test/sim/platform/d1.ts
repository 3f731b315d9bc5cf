/** D1 as far as the history uses it: real SQLite behind prepare, bind, run, all, raw, first and batch. It can be away. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

export class SimD1 {
  readonly #db = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  /** While true every call fails, as in an outage. */
  away = false;

  /** The binding of one process: a new one knows nothing of the one before. */
  connection() {
    return {
      prepare: (sql: string) => new SimStatement(this, sql, []),
      batch: (statements: SimStatement[]) => this.#batch(statements),
    };
  }

  async #batch(statements: SimStatement[]) {
    this.reach();
    this.#db.exec("BEGIN");
    try {
      const results = statements.map((statement) => statement.runNow());
      this.#db.exec("COMMIT");
      return results;
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  reach(): void {
    if (this.away) throw new Error("D1_ERROR: the database is away");
  }

  statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  has(table: string): boolean {
    return this.statement("SELECT 1 FROM sqlite_master WHERE name = ?").all(table).length > 0;
  }

  /** For tests. */
  query(sql: string): Record<string, unknown>[] {
    return this.#db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  }
}

class SimStatement {
  readonly #d1: SimD1;
  readonly #sql: string;
  readonly #bindings: SQLInputValue[];

  constructor(d1: SimD1, sql: string, bindings: SQLInputValue[]) {
    this.#d1 = d1;
    this.#sql = sql;
    this.#bindings = bindings;
  }

  bind(...bindings: SQLInputValue[]): SimStatement {
    return new SimStatement(this.#d1, this.#sql, bindings);
  }

  runNow() {
    const statement = this.#d1.statement(this.#sql);
    const reads = statement.columns().length > 0;
    const results = reads ? statement.all(...this.#bindings).map((row) => ({ ...row })) : [];
    const changes = reads ? 0 : Number(statement.run(...this.#bindings).changes);
    return { results, success: true, meta: { changes } };
  }

  async run() {
    this.#d1.reach();
    return this.runNow();
  }

  async all() {
    return this.run();
  }

  async raw() {
    return (await this.run()).results.map((row) => Object.values(row));
  }

  async first() {
    return (await this.run()).results[0] ?? null;
  }
}
