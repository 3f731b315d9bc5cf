/**
 * The HTTP surface (docs/design/api.md). `/healthz`, `/` and the push hint are public; everything else stands behind
 * the admin token, and without one configured that part is closed. Answers carry no secrets; a stranger learns
 * nothing about which routes exist.
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { toFailure } from "../../core/errors.ts";
import { VERSION } from "../../core/version.ts";
import type { Env } from "../env.ts";
import { wire } from "../wiring.ts";
import { assignmentRoutes } from "./assignments.ts";
import { requireAdmin } from "./auth.ts";
import { dutyRoutes } from "./duties.ts";
import { frontPage } from "./front-page.ts";
import { guardRoutes } from "./guard.ts";
import { hintRoute } from "./hint.ts";
import { limitRequests } from "./rate-limit.ts";
import { statusRoutes } from "./status.ts";

export type App = { Bindings: Env };

/** No request of ours carries more than a few ids. */
const BODY_MAX_BYTES = 64 * 1024;

export function createApp(): Hono<App> {
  const app = new Hono<App>();
  app.use(
    secureHeaders({
      contentSecurityPolicy: { defaultSrc: ["'none'"], styleSrc: ["'unsafe-inline'"], frameAncestors: ["'none'"] },
      xFrameOptions: "DENY",
    }),
  );
  // What the API says is for the one who asked; nothing on the way may keep it.
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store");
  });
  app.use(limitRequests);
  const small = bodyLimit({
    maxSize: BODY_MAX_BYTES,
    onError: (c) => c.json({ error: "the request body is too large" }, 413),
  });
  // A guard file is the one large body, with a limit of its own.
  app.use((c, next) => (c.req.path === "/api/guard" ? next() : small(c, next)));

  app.get("/healthz", (c) => {
    const { result } = wire(c.env);
    const codes = result.faults.filter((fault) => fault.severity === "fault");
    if (codes.length === 0) return c.json({ status: "ok", version: VERSION });
    return c.json(
      { status: "misconfigured", version: VERSION, codes: codes.map(({ setting, code }) => ({ setting, code })) },
      503,
    );
  });
  app.get("/", frontPage);
  app.route("/internal", hintRoute());

  app.use("/api/*", requireAdmin);
  app.route("/api", statusRoutes());
  app.route("/api", assignmentRoutes());
  app.route("/api", dutyRoutes());
  app.route("/api", guardRoutes());

  app.notFound((c) => c.json({ error: "not found" }, 404));
  app.onError((error, c) => {
    const { code, message, hint } = toFailure(error);
    wire(c.env).log("error", "http.failed", { path: new URL(c.req.url).pathname, code, reason: message });
    // Only behind the token does anything here fail for a reason worth telling; a stranger learns none.
    if (!c.req.path.startsWith("/api/")) return c.json({ error: "internal error" }, 500);
    return c.json({ error: { code, message, hint } }, 500);
  });
  return app;
}
