/**
 * SQLite as the transaction queue takes it: a Durable Object's `SqlStorage` fits as it is, `node:sqlite` with a line of
 * wrapping. A statement is carried out when `exec` returns, whether or not its rows are read.
 */
export type SqlValue = string | number | null;

export interface Sql {
  exec(statement: string, ...bindings: SqlValue[]): { toArray(): Record<string, unknown>[] };
}

/** Tables outlive versions: a column that came later is added to those that lack it. */
export function addColumn(sql: Sql, table: string, column: string, definition: string): void {
  const columns = sql.exec(`PRAGMA table_info(${table})`).toArray();
  if (columns.some(({ name }) => name === column)) return;
  sql.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${definition}`);
}
