/** Status, settings, models and earnings, each for all nodes or the one that `?node=` names. */
import { Hono } from "hono";
import { fetchStats } from "../../core/payment/client.ts";
import { systemClock } from "../../core/ports.ts";
import { settingsReport } from "../../core/settings/settings.ts";
import { VERSION } from "../../core/version.ts";
import { platformFetch, wire } from "../wiring.ts";
import type { App } from "./app.ts";
import { chosenNodes, nodeObject, notOurs } from "./nodes.ts";

export function statusRoutes(): Hono<App> {
  return new Hono<App>()
    .get("/status", async (c) => {
      const { result } = wire(c.env);
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      const nodes = await Promise.all(addresses.map((address) => nodeObject(c, address).snapshot(address)));
      return c.json({
        version: VERSION,
        testnet: true,
        configured: result.settings !== null,
        faults: result.faults,
        nodes: nodes.filter((node) => node !== null),
      });
    })
    .get("/settings", (c) => c.json(settingsReport(wire(c.env).result)))
    .get("/models", async (c) => {
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      const nodes = await Promise.all(addresses.map((address) => nodeObject(c, address).models(address)));
      return c.json({ nodes: nodes.filter((node) => node !== null) });
    })
    .get("/earnings", async (c) => {
      const { configured } = wire(c.env);
      const addresses = chosenNodes(c, c.req.query("node"));
      if (addresses === null) return notOurs(c);
      if (configured === null) return c.json({ nodes: [] });
      const service = {
        endpoint: configured.settings.paymentServiceUrl,
        fetch: platformFetch,
        clock: systemClock,
      };
      const nodes = await Promise.all(
        addresses.map(async (address) => {
          const [stats, snapshot] = await Promise.all([
            fetchStats(service, address).catch(() => null),
            nodeObject(c, address).snapshot(address),
          ]);
          // Where the service cannot be reached the last figures stand, with their date: never 0.
          return { node: address, stats, lastKnown: snapshot?.earnings ?? null };
        }),
      );
      return c.json({ nodes });
    });
}
