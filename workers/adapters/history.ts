/**
 * Writes the history to D1 and brings its schema up to date. Everything is idempotent: rows carry the job's version or
 * a fixed id, and a migration is applied in one batch with its own record, so that two isolates migrating at once end
 * with one of them refused and both satisfied. Throws when D1 does not answer; callers keep what they could not write.
 */
import { sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { drizzle } from "drizzle-orm/d1";
import { NodeError } from "../../core/errors.ts";
import type { Job, JobState } from "../../core/jobs/job.ts";
import { MIGRATIONS } from "./migrations.generated.ts";
import * as schema from "./schema.ts";

/** Wrangler's own table, so that `wrangler d1 migrations apply` and the Worker agree on what has been applied. */
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`;

const upToDate = new WeakMap<D1Database, Promise<void>>();

/** Resolves once the schema is current; done once per isolate, and tried again after a failure. */
export function ensureSchema(db: D1Database): Promise<void> {
  const known = upToDate.get(db);
  if (known !== undefined) return known;
  const work = migrate(db).catch((error: unknown) => {
    upToDate.delete(db);
    throw error;
  });
  upToDate.set(db, work);
  return work;
}

/** Runs `work` on a current schema. A failure forgets that the schema was current: the database may be another one. */
export async function withSchema<T>(db: D1Database, work: () => Promise<T>): Promise<T> {
  try {
    await ensureSchema(db);
    return await work();
  } catch (cause) {
    upToDate.delete(db);
    throw new NodeError("history-unavailable", "D1 did not answer", {
      retry: "later",
      admitted: "unknown",
      hint: "Check the Worker's D1 database. Nothing is lost: what waits is written when it answers again.",
      cause,
    });
  }
}

async function migrate(db: D1Database): Promise<void> {
  await db.prepare(MIGRATIONS_TABLE).run();
  for (const { name, statements } of MIGRATIONS) {
    if (await isApplied(db, name)) continue;
    const batch = [
      ...statements.map((statement) => db.prepare(statement)),
      db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ];
    try {
      await db.batch(batch);
    } catch (error) {
      // Another isolate may have been faster: its batch is whole, ours was rolled back.
      if (!(await isApplied(db, name))) throw error;
    }
  }
}

async function isApplied(db: D1Database, name: string): Promise<boolean> {
  return (await db.prepare("SELECT 1 FROM d1_migrations WHERE name = ?").bind(name).first()) !== null;
}

/** An entry of the node's own history, kept in its outbox until D1 has it. */
export type HistoryEntry =
  | { kind: "event"; row: typeof schema.events.$inferInsert }
  | { kind: "transaction"; row: typeof schema.transactions.$inferInsert }
  | { kind: "certificate"; row: typeof schema.certificates.$inferInsert }
  | { kind: "beats"; row: typeof schema.beats.$inferInsert }
  | { kind: "earning"; row: typeof schema.earnings.$inferInsert };

export async function writeEntries(db: D1Database, entries: readonly HistoryEntry[]): Promise<void> {
  const [first, ...rest] = entries.flatMap((entry) => statementsOf(db, entry));
  if (first === undefined) return;
  await withSchema(db, () => drizzle(db).batch([first, ...rest]));
}

function statementsOf(database: D1Database, entry: HistoryEntry): BatchItem<"sqlite">[] {
  const db = drizzle(database);
  switch (entry.kind) {
    case "event":
      return [db.insert(schema.events).values(entry.row).onConflictDoNothing()];
    case "transaction": {
      const { node: _node, purpose: _purpose, createdAt: _created, ...changes } = entry.row;
      return [
        db
          .insert(schema.transactions)
          .values(entry.row)
          .onConflictDoUpdate({
            target: [schema.transactions.node, schema.transactions.purpose],
            set: changes,
            setWhere: sql`excluded.updated_at >= ${schema.transactions.updatedAt}`,
          }),
      ];
    }
    case "certificate":
      return [db.insert(schema.certificates).values(entry.row).onConflictDoNothing()];
    case "beats": {
      const { sent, failed, lastAt } = entry.row;
      return [
        db
          .insert(schema.beats)
          .values(entry.row)
          .onConflictDoUpdate({
            target: [schema.beats.node, schema.beats.hour],
            set: { sent, failed, lastAt },
            setWhere: sql`excluded.last_at >= ${schema.beats.lastAt}`,
          }),
      ];
    }
    case "earning": {
      const { status, amountBlind, completedAt, seenAt, node, jobId } = entry.row;
      const reward = amountBlind === null || amountBlind === undefined ? null : String(amountBlind);
      return [
        db
          .insert(schema.earnings)
          .values(entry.row)
          .onConflictDoUpdate({
            target: [schema.earnings.node, schema.earnings.jobId],
            set: { status, amountBlind, completedAt, seenAt },
            // The service lists all it ever paid: a row that says nothing new is not written, and may grow old.
            setWhere: sql`excluded.status <> ${schema.earnings.status}
              OR excluded.amount_blind IS NOT ${schema.earnings.amountBlind}
              OR excluded.completed_at IS NOT ${schema.earnings.completedAt}`,
          }),
        db
          .update(schema.assignments)
          .set({ rewardBlind: reward })
          .where(sql`${schema.assignments.node} = ${node} AND ${schema.assignments.jobId} = ${jobId}`),
      ];
    }
  }
}

/** Writes a job's row and an event for each state it has entered. An older version never overwrites a newer one. */
export async function writeJob(database: D1Database, job: Job, nowMs: number): Promise<void> {
  const db = drizzle(database);
  const row = assignmentRow(job, nowMs);
  const { node: _node, jobId: _jobId, ...changes } = row;
  const events = (Object.entries(job.times) as [JobState, number][]).map(([state, at]) =>
    db
      .insert(schema.events)
      .values(stateEvent(job, state, at))
      .onConflictDoNothing(),
  );
  const upsert = db
    .insert(schema.assignments)
    // What was earned may be known before the job's first row is written; later it is the earning that finds the row.
    .values({ ...row, rewardBlind: rewardOf(job) })
    .onConflictDoUpdate({
      target: [schema.assignments.node, schema.assignments.jobId],
      set: changes,
      setWhere: sql`excluded.version >= ${schema.assignments.version}`,
    });
  await withSchema(database, () => db.batch([upsert, ...events]));
}

/** As many digits as a number has that was once written in full. */
function rewardOf({ node, jobId }: Job) {
  const { earnings } = schema;
  return sql<string>`(SELECT printf('%.15g', ${earnings.amountBlind}) FROM ${earnings}
    WHERE ${earnings.node} = ${node} AND ${earnings.jobId} = ${jobId} AND ${earnings.amountBlind} IS NOT NULL)`;
}

function assignmentRow(job: Job, nowMs: number) {
  return {
    node: job.node,
    jobId: job.jobId,
    role: job.role,
    modelId: job.modelId,
    promptCid: job.promptCid,
    userAddress: job.userAddress,
    state: job.state,
    outcome: job.outcome,
    verdict: job.verdict,
    outputCid: job.outputCid,
    leaderCommitment: job.leaderCommitment,
    commitment: job.commitment,
    grantTx: job.grantTx,
    failureCode: job.failure?.code ?? null,
    failureMessage: job.failure?.message ?? null,
    failureHint: job.failure?.hint ?? null,
    failedIn: job.failure?.in ?? null,
    offeredAt: job.times.offered ?? nowMs,
    claimedAt: job.times.claimed ?? null,
    answeredAt: job.times.answered ?? null,
    publishedAt: job.times.published ?? null,
    grantedAt: job.times.granted ?? null,
    matchedAt: job.times.matched ?? null,
    submittedAt: job.times.submitted ?? null,
    settledAt: job.times.settled ?? null,
    failedAt: job.times.failed ?? null,
    deadlineAt: job.deadlineMs,
    version: job.version,
    updatedAt: nowMs,
  } satisfies typeof schema.assignments.$inferInsert;
}

function stateEvent(job: Job, state: JobState, at: number): typeof schema.events.$inferInsert {
  const failure = state === "failed" && job.failure !== null ? { ...job.failure } : {};
  const outcome = state === "settled" && job.outcome !== null ? { outcome: job.outcome } : {};
  return {
    id: `${job.node}/${job.jobId}/${state}`,
    node: job.node,
    jobId: job.jobId,
    at,
    level: state === "failed" ? "warn" : "info",
    type: `job.${state}`,
    fields: JSON.stringify({ role: job.role, model: job.modelId, ...outcome, ...failure }),
  };
}
