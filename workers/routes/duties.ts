/** The operator's commands: `POST /api/{poll,attest,pause,resume,drain}` with an optional `{node}` or `{reason}`. */
import { type Context, Hono } from "hono";
import * as z from "zod";
import type { CommandReply } from "../objects/node.ts";
import type { App } from "./app.ts";
import { chosenNodes, nodeObject, notOurs, unconfigured } from "./nodes.ts";

const body = z.object({ node: z.string().max(64).nullish(), reason: z.string().max(200).nullish() });

const COMMANDS = ["poll", "attest", "pause", "resume", "drain"] as const;
type Command = (typeof COMMANDS)[number];

export function dutyRoutes(): Hono<App> {
  const routes = new Hono<App>();
  for (const command of COMMANDS) routes.post(`/${command}`, (c) => perform(c, command));
  return routes;
}

async function perform(c: Context<App>, command: Command) {
  const text = await c.req.text();
  const parsed = body.safeParse(text === "" ? {} : parseJson(text));
  if (!parsed.success) return c.json({ error: 'the body must be a JSON object like {"node":"0x…"}, or empty' }, 400);
  const addresses = chosenNodes(c, parsed.data.node);
  if (addresses === null) return notOurs(c);
  if (addresses.length === 0) return unconfigured(c);
  const nodes = await Promise.all(
    addresses.map(async (address) => {
      const node = nodeObject(c, address);
      // A node that no cron has reached yet is brought to life by the operator's first word.
      await node.introduce(address);
      const reply: CommandReply =
        command === "pause" ? await node.pause(parsed.data.reason ?? "paused by the operator") : await node[command]();
      return { node: address, ...reply };
    }),
  );
  return c.json({ nodes }, nodes.every((node) => node.ok) ? 200 : 502);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
