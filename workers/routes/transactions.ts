/**
 * The account's transactions: what the operator spends (`POST`, behind BLF_SPEND_TOKEN, which auth.ts has checked), an
 * action's transactions as they are now (`GET ?id=`), and the history. Destinations are fixed: nothing here names one.
 */
import { desc, inArray } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type Context, Hono } from "hono";
import * as z from "zod";
import { actionRequest } from "../../core/chain/actions.ts";
import { withSchema } from "../adapters/history.ts";
import { transactions } from "../adapters/schema.ts";
import type { App } from "./app.ts";
import { requireSpendToken } from "./auth.ts";
import { chosenNodes, nodeObject, notOurs, unconfigured } from "./nodes.ts";
import { problems } from "./problems.ts";

const TRANSACTIONS_SHOWN = 200;

const named = z.looseObject({ node: z.string().max(64).nullish() });

export function transactionRoutes(): Hono<App> {
  return new Hono<App>()
    .post("/transactions", requireSpendToken, act)
    .get("/transactions", (c) => (c.req.query("id") === undefined ? history(c) : action(c, c.req.query("id") ?? "")));
}

async function act(c: Context<App>): Promise<Response> {
  const json = named.safeParse(await c.req.json().catch(() => null));
  if (!json.success) return c.json({ error: "the body must be a JSON object; see docs/operate/api.md" }, 400);
  const { node: wanted, ...rest } = json.data;
  const request = actionRequest.safeParse(rest);
  if (!request.success) return c.json({ error: problems(request.error) }, 400);
  const addresses = chosenNodes(c, wanted);
  if (addresses === null) return notOurs(c);
  const [node, ...others] = addresses;
  if (node === undefined) return unconfigured(c);
  if (others.length > 0) return c.json({ error: `node: name one of ${addresses.join(", ")}` }, 400);
  const { id } = request.data;
  const reply = await nodeObject(c, node).act(node, request.data);
  switch (reply.kind) {
    case "taken":
      return c.json({ node, id, transactions: reply.transactions }, 202);
    case "conflict":
      return c.json({ error: "id: it was used for another action; choose a new one" }, 409);
    case "refused":
      return c.json({ error: reply.refusal }, 422);
    case "unavailable": {
      const { code, message, hint } = reply.failure;
      return c.json({ error: { code, message, hint } }, 503);
    }
  }
}

async function action(c: Context<App>, id: string): Promise<Response> {
  if (!actionRequest.shape.id.safeParse(id).success) return c.json({ error: "id: it is none of an action" }, 400);
  const addresses = chosenNodes(c, c.req.query("node"));
  if (addresses === null) return notOurs(c);
  const found = await Promise.all(
    addresses.map(async (node) => ({ node, rows: await nodeObject(c, node).action(node, id) })),
  );
  if (found.every(({ rows }) => rows === null)) return c.json({ error: "id: no node knows such an action" }, 404);
  return c.json({ id, transactions: found.flatMap(({ node, rows }) => (rows ?? []).map((row) => ({ node, ...row }))) });
}

async function history(c: Context<App>): Promise<Response> {
  const addresses = chosenNodes(c, c.req.query("node"));
  if (addresses === null) return notOurs(c);
  const { DB } = c.env;
  // Unnamed, also those of nodes that this deployment no longer has.
  const only = c.req.query("node") ? inArray(transactions.node, addresses) : undefined;
  const rows = await withSchema(DB, () =>
    drizzle(DB).select().from(transactions).where(only).orderBy(desc(transactions.createdAt)).limit(TRANSACTIONS_SHOWN),
  );
  return c.json({ transactions: rows });
}
