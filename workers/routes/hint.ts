/**
 * `POST /internal/task`: the coordinator's push (protocol §1). It is unsigned, so its body is not even read: it is a
 * hint to poll now, and the node polls at most once a second for hints.
 */
import { Hono } from "hono";
import { wire } from "../wiring.ts";
import type { App } from "./app.ts";

export function hintRoute(): Hono<App> {
  return new Hono<App>().post("/task", (c) => {
    const { configured } = wire(c.env);
    if (configured === null) return c.json({ status: "ignored" }, 503);
    for (const address of configured.nodes) {
      c.executionCtx.waitUntil(
        c.env.NODE.getByName(address)
          .hint()
          .then(() => undefined)
          .catch(() => undefined),
      );
    }
    return c.json({ status: "accepted" }, 202);
  });
}
