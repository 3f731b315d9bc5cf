/**
 * The D1 history, for people: a projection written idempotently from the objects. No job waits for it or fails with it.
 * Times are milliseconds since the epoch; wei and BLIND amounts are decimal strings. After a change run
 * `npm run db:generate`: migrations are append-only and the Worker applies them itself.
 */
import { index, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

const ms = (name: string) => integer(name, { mode: "number" });

export const assignments = sqliteTable(
  "assignments",
  {
    node: text("node").notNull(),
    jobId: text("job_id").notNull(),
    role: text("role").notNull(),
    modelId: text("model_id").notNull(),
    promptCid: text("prompt_cid").notNull(),
    userAddress: text("user_address").notNull(),
    state: text("state").notNull(),
    outcome: text("outcome"),
    verdict: text("verdict"),
    outputCid: text("output_cid"),
    leaderCommitment: text("leader_commitment"),
    commitment: text("commitment"),
    grantTx: text("grant_tx"),
    rewardBlind: text("reward_blind"),
    failureCode: text("failure_code"),
    failureMessage: text("failure_message"),
    failureHint: text("failure_hint"),
    failedIn: text("failed_in"),
    offeredAt: ms("offered_at").notNull(),
    claimedAt: ms("claimed_at"),
    answeredAt: ms("answered_at"),
    publishedAt: ms("published_at"),
    grantedAt: ms("granted_at"),
    matchedAt: ms("matched_at"),
    submittedAt: ms("submitted_at"),
    settledAt: ms("settled_at"),
    failedAt: ms("failed_at"),
    deadlineAt: ms("deadline_at").notNull(),
    /** The job's version when written: an older projection never overwrites a newer one. */
    version: integer("version").notNull(),
    updatedAt: ms("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.node, table.jobId] }),
    index("assignments_by_time").on(table.offeredAt),
    index("assignments_by_state").on(table.state, table.offeredAt),
  ],
);

export const events = sqliteTable(
  "events",
  {
    id: text("id").primaryKey(),
    node: text("node").notNull(),
    jobId: text("job_id"),
    at: ms("at").notNull(),
    level: text("level").notNull(),
    type: text("type").notNull(),
    /** JSON object with the event's fields. */
    fields: text("fields").notNull(),
  },
  (table) => [index("events_by_time").on(table.node, table.at), index("events_by_job").on(table.jobId)],
);

export const transactions = sqliteTable(
  "transactions",
  {
    node: text("node").notNull(),
    /** What the transaction is for, unique for ever: one purpose, one transaction. */
    purpose: text("purpose").notNull(),
    jobId: text("job_id"),
    destination: text("destination").notNull(),
    state: text("state").notNull(),
    nonce: integer("nonce"),
    hash: text("hash"),
    gasUsed: text("gas_used"),
    feeWei: text("fee_wei"),
    error: text("error"),
    createdAt: ms("created_at").notNull(),
    updatedAt: ms("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.node, table.purpose] }), index("transactions_by_time").on(table.createdAt)],
);

export const certificates = sqliteTable(
  "certificates",
  {
    node: text("node").notNull(),
    certHash: text("cert_hash").notNull(),
    tier: integer("tier").notNull(),
    backend: text("backend").notNull(),
    issuedAt: ms("issued_at").notNull(),
    expiresAt: ms("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.node, table.certHash] })],
);

/** Heartbeats, summed by the hour: a row a beat would cost more than it tells. */
export const beats = sqliteTable(
  "beats",
  {
    node: text("node").notNull(),
    /** Start of the hour, ms since the epoch. */
    hour: ms("hour").notNull(),
    sent: integer("sent").notNull(),
    failed: integer("failed").notNull(),
    lastAt: ms("last_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.node, table.hour] })],
);

/** What the payment service says was earned, a row a job. */
export const earnings = sqliteTable(
  "earnings",
  {
    node: text("node").notNull(),
    jobId: text("job_id").notNull(),
    role: text("role").notNull(),
    status: text("status").notNull(),
    amountBlind: real("amount_blind"),
    completedAt: text("completed_at"),
    seenAt: ms("seen_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.node, table.jobId] })],
);
