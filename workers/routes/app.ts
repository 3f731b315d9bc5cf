/**
 * The HTTP surface (docs/operate/api.md). `/healthz`, `/` and the push hint are public; everything else stands behind
 * the admin token, spending behind a token of its own, and without one configured that part is closed. Answers carry no
 * secrets; a stranger learns neither which routes exist nor why something failed, and no body of a stranger's is read.
 */
import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { toFailure } from "../../core/errors.ts";
import { VERSION } from "../../core/version.ts";
import type { Env } from "../env.ts";
import { wire } from "../wiring.ts";
import { assignmentRoutes } from "./assignments.ts";
import { requireToken } from "./auth.ts";
import { limitBody } from "./body.ts";
import { dutyRoutes } from "./duties.ts";
import { eventRoutes } from "./events.ts";
import { frontPage } from "./front-page.ts";
import { GUARD_MAX_BYTES, guardRoutes } from "./guard.ts";
import { hintRoute } from "./hint.ts";
import { createLimiter, type Limiter, limitRequests } from "./rate-limit.ts";
import { statusRoutes } from "./status.ts";
import { transactionRoutes } from "./transactions.ts";

/** Set once the request has shown the admin token, or the spend token; one that showed neither gets no further. */
export type App = { Bindings: Env; Variables: { isAdmin?: true; maySpend?: true } };

/** No request of ours carries more than a few ids; a guard file is the one large body. */
const BODY_MAX_BYTES = 64 * 1024;
/** Of a path in the log. */
const PATH_SHOWN = 200;

export function createApp(limiter: Limiter = createLimiter(Date.now)): Hono<App> {
  const app = new Hono<App>();
  const nothing = ["'none'"];
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: nothing,
        styleSrc: ["'unsafe-inline'"],
        frameAncestors: nothing,
        baseUri: nothing,
        formAction: nothing,
      },
      xFrameOptions: "DENY",
    }),
  );
  // What the API says is for the one who asked; nothing on the way may keep it.
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store");
  });
  app.use(limitRequests(limiter));

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

  app.use("/api/*", requireToken(limiter));
  app.use(
    "/api/*",
    limitBody((c) => (c.req.path === "/api/guard" ? GUARD_MAX_BYTES : BODY_MAX_BYTES)),
  );
  app.route("/api", statusRoutes());
  app.route("/api", assignmentRoutes());
  app.route("/api", dutyRoutes());
  app.route("/api", eventRoutes());
  app.route("/api", guardRoutes());
  app.route("/api", transactionRoutes());

  app.notFound((c) => c.json({ error: "not found" }, 404));
  app.onError((error, c) => {
    const { code, message, hint } = toFailure(error);
    const path = c.req.path.slice(0, PATH_SHOWN);
    wire(c.env).log("error", "http.failed", { path, code, reason: message });
    if (c.get("isAdmin") !== true && c.get("maySpend") !== true) return c.json({ error: "internal error" }, 500);
    return c.json({ error: { code, message, hint } }, code === "history-unavailable" ? 503 : 500);
  });
  return app;
}
