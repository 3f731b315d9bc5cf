/**
 * The sidecar's HTTP surface (docs/operate/sidecar-api.json). `healthz` is public and says nothing; whatever else is
 * asked for, a stranger gets the same refusal, for routes that exist and for those that do not. Answers go to nobody but
 * the Worker: no CORS, no caches, nothing for a browser.
 */
import { type Context, Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { toFailure } from "../../core/errors.ts";
import type { Clock, Log } from "../../core/ports.ts";
import { ENDPOINTS } from "../../core/sidecar/endpoints.ts";
import { refusalToWire, toWire } from "../../core/sidecar/failure-wire.ts";
import type { SigningKey, VerifyingKey } from "../../core/sidecar/keys.ts";
import { answer, authenticate, type SidecarEnv } from "./authenticate.ts";
import { createFailureLimit } from "./failure-limit.ts";
import type { NonceStore } from "./nonce-store.ts";
import { sidecarRoutes } from "./routes.ts";
import type { SidecarService } from "./service.ts";

export interface SidecarAppParts {
  service: SidecarService;
  /** The Workers' public keys by id: two of one Worker while they are exchanged. At least one. */
  workerKeys: readonly VerifyingKey[];
  /** The sidecar's own; its id is its public key in hex, which the Worker pins. */
  signingKey: SigningKey;
  /** `https://HOST[:PORT]` of every address that the sidecar is reached by. At least one. */
  origins: readonly string[];
  nonces: NonceStore;
  clock: Pick<Clock, "now">;
  log: Log;
}

/** Throws where there is no key or no origin: without them everybody, or nobody, would be let in. */
export function createSidecarApp(parts: SidecarAppParts): Hono<SidecarEnv> {
  const { service, workerKeys, origins, log } = parts;
  if (workerKeys.length === 0 || origins.length === 0) throw new Error("a sidecar needs a Worker's key and an origin");
  const failures = createFailureLimit(workerKeys.map(({ id }) => id));
  const app = new Hono<SidecarEnv>();
  const nothing = ["'none'"];
  app.use(
    secureHeaders({
      contentSecurityPolicy: { defaultSrc: nothing, frameAncestors: nothing, baseUri: nothing, formAction: nothing },
      xFrameOptions: "DENY",
    }),
  );
  // Nothing on the way may keep an answer, or compress it, which would change the content that was signed.
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store, no-transform");
  });

  app.get(ENDPOINTS.healthz.path, (c) => c.json({ status: "ok" }));
  app.use(authenticate({ ...parts, failures }, maxBodyOf));
  app.route("/", sidecarRoutes(service));

  app.notFound(() => answer(refusalToWire("not-found")));
  app.onError((error) => {
    const { code, message } = toFailure(error);
    log(code === "internal" ? "error" : "warn", "request.failed", { code, reason: message });
    return answer(toWire(error));
  });
  return app;
}

/** Only a POST has a body, and the path of a POST has no parameters. */
function maxBodyOf(c: Context<SidecarEnv>): number {
  const endpoint = Object.values(ENDPOINTS).find(({ method, path }) => method === c.req.method && path === c.req.path);
  return endpoint?.maxBody ?? 0;
}
