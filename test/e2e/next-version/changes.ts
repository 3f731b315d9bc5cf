/**
 * What the next version changes. One entry per place; `find` is there exactly once. The renamed field is one that a job
 * needs half-way: were it lost, no commitment could be made.
 */
import { JOB_SCHEMA } from "../../../core/jobs/job.ts";

export const NEXT_VERSION = "99.0.0";
export const RENAMED = { from: "answerDigest", to: "answerSha256" } as const;
export const NEXT_MIGRATION = "0900_made_by.sql";
/** What `madeBy` holds in a row that an older version made. */
export const MADE_BEFORE = "before";

export interface Change {
  file: string;
  find: string;
  replace: string;
  /** Comes after everything else in the file. */
  append?: string;
}

export const CHANGES: readonly Change[] = [
  {
    file: "core/version.ts",
    find: "export const VERSION = ",
    replace: `export const VERSION = "${NEXT_VERSION}";\nexport const PREVIOUS_VERSION = `,
  },
  {
    file: "core/jobs/job.ts",
    find: `export const JOB_SCHEMA = ${JOB_SCHEMA};`,
    replace: `export const JOB_SCHEMA = ${JOB_SCHEMA + 1};`,
  },
  {
    file: "core/jobs/job.ts",
    find: "  schema: typeof JOB_SCHEMA;\n",
    replace: "  schema: typeof JOB_SCHEMA;\n  madeBy: string;\n",
  },
  {
    file: "core/jobs/job.ts",
    find: "    schema: JOB_SCHEMA,\n",
    replace: `    schema: JOB_SCHEMA,\n    madeBy: "${NEXT_VERSION}",\n`,
  },
  {
    file: "core/jobs/job-shape.ts",
    find: "  schema: z.literal(JOB_SCHEMA),\n",
    replace: "  schema: z.literal(JOB_SCHEMA),\n  madeBy: z.string().min(1),\n",
  },
  {
    file: "core/jobs/upgrades.ts",
    find: "export const UPGRADES: ",
    replace: "const OLDER: ",
    append: `export const UPGRADES: readonly Upgrade[] = [
      ...OLDER,
      ({ ${RENAMED.from}, ...row }) => ({ ...row, ${RENAMED.to}: ${RENAMED.from}, madeBy: "${MADE_BEFORE}" }),
    ];`,
  },
  {
    file: "workers/adapters/migrations.generated.ts",
    find: "export const MIGRATIONS: ",
    replace: "const OLDER: ",
    append: `export const MIGRATIONS: typeof OLDER = [...OLDER, {
      name: "${NEXT_MIGRATION}",
      statements: [
        "ALTER TABLE assignments ADD COLUMN made_by text",
        "CREATE TABLE makers (name text PRIMARY KEY NOT NULL)",
        "INSERT INTO makers (name) VALUES ('${NEXT_VERSION}')",
      ],
    }];`,
  },
  {
    file: "workers/adapters/schema.ts",
    find: '    version: integer("version").notNull(),\n',
    replace: '    version: integer("version").notNull(),\n    madeBy: text("made_by"),\n',
  },
  {
    file: "workers/adapters/history.ts",
    find: "    version: job.version,\n",
    replace: "    version: job.version,\n    madeBy: job.madeBy,\n",
  },
];
