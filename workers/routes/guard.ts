/**
 * The commit guard's export and import (`GET|PUT /api/guard`), for moving a node between deployments: export from the
 * old one, import into the new one, and no job can be committed to twice. Importing is idempotent and never loosens.
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { readGuardFile, writeGuardFile } from "../../core/node/guard-interchange.ts";
import type { App } from "./app.ts";
import { chosenNodes, nodeObject, notOurs } from "./nodes.ts";

/** A commitment takes about 300 bytes: some 25,000 of them. */
export const GUARD_MAX_BYTES = 8 * 1024 * 1024;

export function guardRoutes(): Hono<App> {
  return new Hono<App>()
    .get("/guard", async (c) => {
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      const data = await Promise.all(
        addresses.map(async (node) => ({ node, commitments: await nodeObject(c, node).exportGuard() })),
      );
      c.header("content-disposition", 'attachment; filename="blindference-commit-guard.json"');
      return c.json(writeGuardFile(data, Date.now()));
    })
    .put(
      "/guard",
      bodyLimit({ maxSize: GUARD_MAX_BYTES, onError: (c) => c.json({ error: "the guard file is too large" }, 413) }),
      async (c) => {
        const file = readGuardFile(await c.req.json().catch(() => null));
        if (!file.ok) return c.json({ error: file.refusal }, 400);
        const ours = chosenNodes(c, c.req.query("node"));
        if (ours === null) return notOurs(c);
        const foreign = file.value.filter(({ node }) => !ours.includes(node)).map(({ node }) => node);
        // Nothing of a file is taken that is not wholly for us: it may be the wrong one.
        if (foreign.length > 0)
          return c.json({ error: `data: not this deployment's nodes: ${foreign.join(", ")}` }, 400);
        const nodes = [];
        for (const { node, commitments } of file.value) {
          nodes.push({ node, ...(await nodeObject(c, node).importGuard(commitments)) });
        }
        return c.json({ nodes }, nodes.every(({ conflicts }) => conflicts.length === 0) ? 200 : 409);
      },
    );
}
