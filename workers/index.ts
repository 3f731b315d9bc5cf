/**
 * The edge: HTTP, cron and the object classes. Cron is the dead man's switch: every minute it calls `tick` on every
 * node, which brings new ones to life and revives a lost alarm. With settings at fault the Worker still starts,
 * /healthz says so, and nothing is claimed.
 */
import { toFailure } from "../core/errors.ts";
import type { Env } from "./env.ts";
import { createApp } from "./routes/app.ts";
import { wire } from "./wiring.ts";

export { Assignment } from "./objects/assignment.ts";
export { Node } from "./objects/node.ts";

const app = createApp();

export default {
  fetch: (request, env, ctx) => app.fetch(request, env, ctx),
  async scheduled(_event, env) {
    const { configured, result, log } = wire(env);
    if (configured === null) {
      const faults = result.faults.map((fault) => `${fault.setting}:${fault.code}`).join(" ");
      log("error", "settings.faulty", { faults, hint: "GET /api/settings lists every fault with its fix." });
      return;
    }
    const ticks = configured.nodes.map(async (address) => {
      try {
        await env.NODE.getByName(address).tick(address);
      } catch (error) {
        log("error", "cron.tick-failed", { node: address, reason: toFailure(error).message });
      }
    });
    await Promise.all(ticks);
  },
} satisfies ExportedHandler<Env>;
