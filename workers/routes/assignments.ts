/** The assignments of this deployment's nodes: a page from the history, or one job with its live state and timeline. */
import { and, asc, desc, eq, gt, inArray, lt, or, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { Hono } from "hono";
import * as z from "zod";
import { assignment } from "../../core/icl/schema.ts";
import { withSchema } from "../adapters/history.ts";
import { assignments, events } from "../adapters/schema.ts";
import { assignmentName } from "../objects/names.ts";
import type { App } from "./app.ts";
import { chosenNodes, nodeObject, notOurs } from "./nodes.ts";
import { problems } from "./problems.ts";

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;
/** As the coordinator's wire has it: what it would not take from there it does not take from here. */
const { jobId } = assignment.shape;

const query = z.object({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, `must be 1 to ${PAGE_MAX}`)
    .transform(Number)
    .pipe(z.int().min(1).max(PAGE_MAX))
    .default(PAGE_DEFAULT),
  /** `offeredAt:node:jobId` of the last row seen. */
  cursor: z
    .string()
    .regex(/^\d{1,15}:0x[0-9a-fA-F]{40}:/, "must be the nextCursor of an earlier page")
    .transform((text) => {
      const [at = "", seenNode = ""] = text.split(":", 2);
      return { at: Number(at), node: seenNode, jobId: text.slice(at.length + seenNode.length + 2) };
    })
    .pipe(z.object({ at: z.int(), node: z.string(), jobId }))
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
      if (node) conditions.push(inArray(assignments.node, addresses));
      if (status !== undefined) conditions.push(or(eq(assignments.state, status), eq(assignments.outcome, status)));
      if (cursor !== undefined) conditions.push(after(cursor));
      const { DB } = c.env;
      const rows = await withSchema(DB, () =>
        drizzle(DB)
          .select()
          .from(assignments)
          .where(and(...conditions))
          .orderBy(desc(assignments.offeredAt), desc(assignments.jobId), asc(assignments.node))
          .limit(limit + 1),
      );
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      return c.json({
        assignments: page,
        nextCursor: last === undefined ? null : `${last.offeredAt}:${last.node}:${last.jobId}`,
      });
    })
    .get("/assignments/:jobId", async (c) => {
      const asked = jobId.safeParse(c.req.param("jobId"));
      if (!asked.success)
        return c.json({ error: "jobId: must be 1 to 512 characters, none of them a control character" }, 400);
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      const history = await readHistory(c.env.DB, asked.data);
      const live = await Promise.all(
        addresses.map(async (address) => {
          // An object exists from the moment that it is asked: one of a job that nobody has must not.
          const isKnown =
            history.rows.some(({ node }) => node === address) || (await nodeObject(c, address).knowsJob(asked.data));
          return isKnown ? c.env.ASSIGNMENT.getByName(assignmentName(address, asked.data)).snapshot() : null;
        }),
      );
      const jobs = live.filter((job) => job !== null);
      if (jobs.length === 0 && history.rows.length === 0) return c.json({ error: "no such assignment" }, 404);
      return c.json({ jobId: asked.data, jobs, ...history });
    });
}

/** History is for people: where D1 is away, the live state is still shown. */
async function readHistory(db: D1Database, of: string) {
  try {
    const [rows, timeline] = await withSchema(db, () =>
      Promise.all([
        drizzle(db).select().from(assignments).where(eq(assignments.jobId, of)),
        drizzle(db).select().from(events).where(eq(events.jobId, of)).orderBy(asc(events.at)),
      ]),
    );
    return { rows, timeline: timeline.map((event) => ({ ...event, fields: JSON.parse(event.fields) as unknown })) };
  } catch {
    return { rows: [], timeline: null };
  }
}

/** What follows in the order of the page. One job may have been offered to several of our nodes at once. */
function after(last: { at: number; node: string; jobId: string }): SQL | undefined {
  const { offeredAt, jobId: id, node } = assignments;
  return or(
    lt(offeredAt, last.at),
    and(eq(offeredAt, last.at), lt(id, last.jobId)),
    and(eq(offeredAt, last.at), eq(id, last.jobId), gt(node, last.node)),
  );
}
