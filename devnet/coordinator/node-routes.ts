/**
 * A node's calls (protocol §1), all of them signed. A caller that was never attested, or was forgotten, is refused; in
 * silent mode its polls and heartbeats are answered as if nothing were wrong, which is what today's network does.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { activationRequest, credentialRequest } from "../../core/attestation/activation.ts";
import { attest, issueChallenge } from "./attestation.ts";
import { authenticate, refuseForeign } from "./auth.ts";
import { type CoordinatorContext, type SignedEnv, toSec } from "./context.ts";
import { isKnown } from "./nodes.ts";
import { refusal, toWire } from "./refusal.ts";
import { taskRoutes } from "./task-routes.ts";
import { attestationBody, heartbeatBody, parseBody } from "./wire.ts";

/** A quote with an event log fits; nothing else comes near. */
const BODY_MAX_BYTES = 2 * 1024 * 1024;

export function nodeRoutes(context: CoordinatorContext): Hono<SignedEnv> {
  const app = new Hono<SignedEnv>();
  app.use("*", bodyLimit({ maxSize: BODY_MAX_BYTES }), signed(context));
  app.get("/challenge/:address", (c) => challenge(context, c, c.req.param("address")));
  app.post("/attestation/verify", (c) => verifyAttestation(context, c));
  app.post("/attestation/credential", (c) => offerCredential(context, c));
  app.post("/attestation/activate", (c) => activate(context, c));
  app.use("*", known(context));
  app.post("/heartbeat", (c) => heartbeat(context, c));
  app.route("/", taskRoutes(context));
  return app;
}

function signed({ clock, settings }: CoordinatorContext): MiddlewareHandler<SignedEnv> {
  return async (c, next) => {
    const body = new Uint8Array(await c.req.arrayBuffer());
    const request = { headers: c.req.raw.headers, body };
    const signer = await authenticate(request, toSec(clock.now()), settings.timestampToleranceSec);
    if (!signer.ok) return toWire(signer.refusal);
    c.set("node", signer.value);
    c.set("text", new TextDecoder().decode(body));
    return next();
  };
}

/** Lets known nodes through, and in silent mode everyone. */
function known({ state, settings, clock }: CoordinatorContext): MiddlewareHandler<SignedEnv> {
  return async (c, next) => {
    if (state.unknownNodes === "silent" || isKnown(state.nodes.get(c.var.node), clock.now())) return next();
    const answer = refusal("unknown-node", "the coordinator does not know this node: attest first");
    return toWire(answer.refusal, settings.unknownNodeStatus);
  };
}

function challenge({ state, settings, clock, random }: CoordinatorContext, c: Context<SignedEnv>, address: string) {
  const foreign = refuseForeign(address, c.var.node);
  if (foreign) return foreign;
  return c.json(issueChallenge(state, c.var.node, clock.now(), settings, random));
}

async function verifyAttestation(context: CoordinatorContext, c: Context<SignedEnv>) {
  const { state, settings, clock, quoteVerifiers } = context;
  const body = parseBody(c.var.text, attestationBody);
  if (!body.ok) return toWire(body.refusal);
  const foreign = refuseForeign(body.value.nodeAddress, c.var.node);
  if (foreign) return foreign;
  const nowMs = clock.now();
  const certificate = await attest(state, c.var.node, body.value, { nowMs, settings, verifiers: quoteVerifiers });
  return certificate.ok ? c.json(certificate.value) : toWire(certificate.refusal);
}

/** The extension of core/attestation/activation.ts: a secret that only the TPM of both keys can give out. */
async function offerCredential({ activations }: CoordinatorContext, c: Context<SignedEnv>) {
  const body = parseBody(c.var.text, credentialRequest);
  if (!body.ok) return toWire(body.refusal);
  const foreign = refuseForeign(body.value.nodeAddress, c.var.node);
  if (foreign) return foreign;
  const offer = await activations.offer(body.value);
  return offer.ok ? c.json(offer.value) : toWire({ kind: "malformed", detail: offer.refusal.message });
}

async function activate({ activations }: CoordinatorContext, c: Context<SignedEnv>) {
  const body = parseBody(c.var.text, activationRequest);
  if (!body.ok) return toWire(body.refusal);
  const foreign = refuseForeign(body.value.nodeAddress, c.var.node);
  if (foreign) return foreign;
  const done = await activations.redeem(body.value);
  return done.ok ? c.json({}) : toWire({ kind: "malformed", detail: done.refusal.message });
}

function heartbeat(context: CoordinatorContext, c: Context<SignedEnv>) {
  const { state, settings, clock } = context;
  const body = parseBody(c.var.text, heartbeatBody);
  if (!body.ok) return toWire(body.refusal);
  const foreign = refuseForeign(body.value.nodeAddress, c.var.node);
  if (foreign) return foreign;
  const nowMs = clock.now();
  if (Math.abs(Number(body.value.timestamp) - toSec(nowMs)) > settings.timestampToleranceSec) {
    return toWire({ kind: "malformed", detail: "the heartbeat's timestamp is not now" });
  }
  const entry = state.nodes.get(c.var.node);
  if (isKnown(entry, nowMs)) {
    entry.lastSeenMs = nowMs;
    entry.heartbeats += 1;
  }
  return c.json({ status: "ok" });
}
