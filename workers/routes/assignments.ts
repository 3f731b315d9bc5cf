/** The assignments of this deployment's nodes: a page from the history, or one job with its live state and timeline. */
import { and, asc, desc, eq, lt, or, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { Hono } from "hono";
import * as z from "zod";
import { ensureSchema } from "../adapters/history.ts";
import { assignments, events } from "../adapters/schema.ts";
import { assignmentName } from "../objects/names.ts";
import type { App } from "./app.ts";
import { chosenNodes, notOurs } from "./nodes.ts";

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;
const JOB_ID = /^[\x21-\x7e]{1,512}$/;

const query = z.object({
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT),
  /** `offeredAt:jobId` of the last row seen. */
  cursor: z
    .string()
    .regex(/^\d{1,16}:.{1,512}$/)
    .optional(),
  /** A state (`settled`) or an outcome (`accepted`). */
  status: z
    .string()
    .regex(/^[a-z-]{1,32}$/)
    .optional(),
  node: z.string().optional(),
});

export function assignmentRoutes(): Hono<App> {
  return new Hono<App>()
    .get("/assignments", async (c) => {
      const parsed = query.safeParse(c.req.query());
      if (!parsed.success) return c.json({ error: problems(parsed.error) }, 400);
      const { limit, cursor, status, node } = parsed.data;
      const addresses = chosenNodes(c, node);
      if (addresses === null) return notOurs(c);
      const conditions: (SQL | undefined)[] = [];
      if (node !== undefined) conditions.push(eq(assignments.node, addresses[0] ?? ""));
      if (status !== undefined) conditions.push(or(eq(assignments.state, status), eq(assignments.outcome, status)));
      if (cursor !== undefined) conditions.push(after(cursor));
      await ensureSchema(c.env.DB);
      const rows = await drizzle(c.env.DB)
        .select()
        .from(assignments)
        .where(and(...conditions))
        .orderBy(desc(assignments.offeredAt), desc(assignments.jobId), asc(assignments.node))
        .limit(limit + 1);
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      return c.json({
        assignments: page,
        nextCursor: last === undefined ? null : `${last.offeredAt}:${last.jobId}`,
      });
    })
    .get("/assignments/:jobId", async (c) => {
      const jobId = c.req.param("jobId");
      // Opaque to us, but no coordinator's id has spaces or control characters in it.
      if (!JOB_ID.test(jobId)) return c.json({ error: "jobId: must be 1 to 512 visible ASCII characters" }, 400);
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      const live = await Promise.all(
        addresses.map((address) => c.env.ASSIGNMENT.getByName(assignmentName(address, jobId)).snapshot()),
      );
      const history = await readHistory(c.env.DB, jobId);
      const jobs = live.filter((job) => job !== null);
      if (jobs.length === 0 && history.rows.length === 0) return c.json({ error: "no such assignment" }, 404);
      return c.json({ jobId, jobs, ...history });
    });
}

/** History is for people: where D1 is away, the live state is still shown. */
async function readHistory(db: D1Database, jobId: string) {
  try {
    await ensureSchema(db);
    const [rows, timeline] = await Promise.all([
      drizzle(db).select().from(assignments).where(eq(assignments.jobId, jobId)),
      drizzle(db).select().from(events).where(eq(events.jobId, jobId)).orderBy(asc(events.at)),
    ]);
    return { rows, timeline: timeline.map((event) => ({ ...event, fields: JSON.parse(event.fields) as unknown })) };
  } catch {
    return { rows: [], timeline: null };
  }
}

function after(cursor: string): SQL | undefined {
  const at = Number(cursor.slice(0, cursor.indexOf(":")));
  const jobId = cursor.slice(cursor.indexOf(":") + 1);
  return or(lt(assignments.offeredAt, at), and(eq(assignments.offeredAt, at), lt(assignments.jobId, jobId)));
}

function problems(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
}
