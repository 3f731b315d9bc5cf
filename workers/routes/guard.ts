/**
 * The commit guard's export and import (`GET|PUT /api/guard`), for moving a node between deployments: export from the
 * old one, import into the new one, and no job can be committed to twice. Importing is idempotent and never loosens. An
 * export is never longer than an import may be, and never silently incomplete.
 */
import { Hono } from "hono";
import * as z from "zod";
import { GUARD_ENTRIES_MAX, readGuardFile, writeGuardFile } from "../../core/node/guard-interchange.ts";
import type { App } from "./app.ts";
import { chosenNodes, nodeObject, notOurs, unconfigured } from "./nodes.ts";
import { problems } from "./problems.ts";

/** A commitment takes about 300 bytes: some 25,000 of them. */
export const GUARD_MAX_BYTES = 8 * 1024 * 1024;
/** The last moment that a date can name (ECMA-262, 21.4.1.1). */
const END_OF_TIME_MS = 8.64e15;

/** `2026-01-31`, or with a time, in UTC. */
const moment = z.union([z.iso.date(), z.iso.datetime()], "must be a date like 2026-01-31").transform(Date.parse);
const query = z.object({ from: moment.default(0), to: moment.default(END_OF_TIME_MS + 1) });

export function guardRoutes(): Hono<App> {
  return new Hono<App>()
    .get("/guard", async (c) => {
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      if (addresses.length === 0) return unconfigured(c);
      const range = query.safeParse(c.req.query());
      if (!range.success) return c.json({ error: problems(range.error) }, 400);
      const asked = { fromMs: range.data.from, toMs: range.data.to };
      const data = await Promise.all(
        addresses.map(async (node) => ({ node, commitments: await nodeObject(c, node).exportGuard(asked) })),
      );
      const text = JSON.stringify(writeGuardFile(data, Date.now()));
      const size = new TextEncoder().encode(text).byteLength;
      if (size > GUARD_MAX_BYTES || data.some(({ commitments }) => commitments.length > GUARD_ENTRIES_MAX)) {
        const error = "this is more than one file holds: export in parts with ?node=, ?from= and ?to=, and import each";
        return c.json({ error }, 422);
      }
      c.header("content-disposition", 'attachment; filename="blindference-commit-guard.json"');
      return c.body(text, 200, { "content-type": "application/json" });
    })
    .put("/guard", async (c) => {
      const file = readGuardFile(await c.req.json().catch(() => null));
      if (!file.ok) return c.json({ error: file.refusal }, 400);
      const ours = chosenNodes(c, c.req.query("node"));
      if (ours === null) return notOurs(c);
      if (ours.length === 0) return unconfigured(c);
      const foreign = file.value.filter(({ node }) => !ours.includes(node)).map(({ node }) => node);
      // Nothing of a file is taken that is not wholly for us: it may be the wrong one.
      if (foreign.length > 0) return c.json({ error: `data: not this deployment's nodes: ${foreign.join(", ")}` }, 400);
      const nodes = [];
      for (const { node, commitments } of file.value) {
        nodes.push({ node, ...(await nodeObject(c, node).importGuard(commitments)) });
      }
      return c.json({ nodes }, nodes.every(({ conflicts }) => conflicts.length === 0) ? 200 : 409);
    });
}
