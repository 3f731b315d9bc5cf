/**
 * The nodes' events, for `blindference-edge logs` and whoever watches: the latest ones, or those that the history has
 * taken in after a cursor. The cursor follows the order of writing, not of time, so that an event that was written late
 * is not passed over.
 */
import { and, desc, eq, gt, inArray, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { Hono } from "hono";
import * as z from "zod";
import { assignment } from "../../core/icl/schema.ts";
import { withSchema } from "../adapters/history.ts";
import { events } from "../adapters/schema.ts";
import type { App } from "./app.ts";
import { chosenNodes, notOurs } from "./nodes.ts";
import { problems } from "./problems.ts";

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;
const LEVELS = ["debug", "info", "warn", "error"] as const;

const query = z.object({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, `must be 1 to ${LIMIT_MAX}`)
    .transform(Number)
    .pipe(z.int().min(1).max(LIMIT_MAX))
    .default(LIMIT_DEFAULT),
  /** `next` of an earlier answer. */
  after: z
    .string()
    .regex(/^\d{1,15}$/, "must be the next of an earlier answer")
    .transform(Number)
    .optional(),
  job: assignment.shape.jobId.optional(),
  level: z.enum(LEVELS, `must be one of ${LEVELS.join(", ")}`).optional(),
  node: z.string().optional(),
});

/** SQLite's own number of the row: it rises with every insert. */
const rowid = sql<number>`${sql.identifier("events")}.rowid`;

export function eventRoutes(): Hono<App> {
  return new Hono<App>().get("/events", async (c) => {
    const parsed = query.safeParse(c.req.query());
    if (!parsed.success) return c.json({ error: problems(parsed.error) }, 400);
    const { limit, after, job, level, node } = parsed.data;
    const addresses = chosenNodes(c, node);
    if (addresses === null) return notOurs(c);
    const conditions: (SQL | undefined)[] = [];
    if (node) conditions.push(inArray(events.node, addresses));
    if (job !== undefined) conditions.push(eq(events.jobId, job));
    if (level !== undefined) conditions.push(inArray(events.level, LEVELS.slice(LEVELS.indexOf(level))));
    if (after !== undefined) conditions.push(gt(rowid, after));
    const { DB } = c.env;
    const found = await withSchema(DB, () =>
      drizzle(DB)
        .select({ cursor: rowid, event: events })
        .from(events)
        .where(and(...conditions))
        .orderBy(after === undefined ? desc(rowid) : rowid)
        .limit(limit),
    );
    const rows = after === undefined ? found.reverse() : found;
    const last = rows.at(-1)?.cursor ?? after;
    return c.json({
      events: rows.map(({ event }) => ({ ...event, fields: JSON.parse(event.fields) as unknown })),
      next: last === undefined ? null : String(last),
    });
  });
}
