/**
 * Writes the SQL of migrations/ into workers/adapters/migrations.generated.ts, so that the Worker can bring its D1
 * schema up to date by itself. `--check` fails when the file is not what the migrations say.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const target = new URL("../workers/adapters/migrations.generated.ts", import.meta.url);
const folder = new URL("../migrations/", import.meta.url);

const migrations = readdirSync(folder)
  .filter((name) => name.endsWith(".sql"))
  .sort()
  .map((name) => ({
    name,
    statements: readFileSync(new URL(name, folder), "utf8")
      .split("--> statement-breakpoint")
      .map((statement) => statement.trim().replace(/;$/, ""))
      .filter((statement) => statement !== ""),
  }));

const text = `/** Generated from migrations/ by \`npm run db:generate\`; do not edit. */

export const MIGRATIONS: readonly { readonly name: string; readonly statements: readonly string[] }[] = ${JSON.stringify(migrations, null, 2)};
`;

if (process.argv.includes("--check")) {
  const current = (await import(target.href)) as { MIGRATIONS: unknown };
  if (!isDeepStrictEqual(current.MIGRATIONS, migrations)) {
    process.stderr.write("migrations.generated.ts differs from migrations/: run `npm run db:generate`.\n");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
