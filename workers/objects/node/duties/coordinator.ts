/**
 * Standing with the coordinator: certificate, heartbeats, and whether it still knows the node. Its state is in memory:
 * after a restart a strict version answers 401 or 404, another answers as if nothing were wrong, so the node asks
 * (protocol §1). Re-attesting is the cure for both.
 */
import { attest, needsRenewal } from "../../../../core/attestation/attest.ts";
import { NodeError, toFailure } from "../../../../core/errors.ts";
import { failpoint } from "../../../../core/failpoint.ts";
import { lastHeartbeatSec } from "../../../../core/node/second-copy.ts";
import { type NodeContext, tell } from "../context.ts";
import { announceHolds } from "../guards.ts";
import { asBeat, endCopyCheck, isAlone, watchForCopy } from "../second-copy.ts";
import { examineBackends, servedModels } from "./models.ts";

const HOUR_MS = 3_600_000;
/** 55 to 60 s between heartbeats. */
const BEAT_LEAST_MS = 55_000;
const BEAT_SPREAD_MS = 5_000;
const INACTIVE_REATTEST_MS = 600_000;

/** Attests when the certificate is absent, near its end, or for other models than are served now. */
export async function watchdogDuty(context: NodeContext): Promise<void> {
  const { store, kit, live, icl } = context;
  // The certificate should name what can really be run; where a backend is away the others do not wait for it.
  if (!live.examined) {
    await examineBackends(context).catch((error: unknown) => noteFailure(context, "models", error));
  }
  if (!(await isAlone(context))) return;
  // The certificate's end is the coordinator's time.
  const nowMs = kit.clock.now() + icl.clockCorrectionMs();
  if (needsRenewal(store.get("certificate"), nowMs)) return attestNow(context, "renewal");
  const attested = store.get("attestedModels") ?? [];
  if (attested.join() !== servedModels(context).join()) await attestNow(context, "models");
}

/** Attests now. `why` goes into the history. */
export async function attestNow(context: NodeContext, why: string): Promise<void> {
  const { kit, signer, icl, store, outbox, schedule } = context;
  const models = servedModels(context);
  const certificate = await asBeat(context, () =>
    attest({ icl, attester: kit.attester, node: signer.address, models, tier: kit.settings.tier, clock: kit.clock }),
  );
  if (__FAILPOINTS__) await failpoint("certificate.unsaved", signer.address);
  store.set("certificate", certificate);
  store.set("attestedModels", models);
  endCopyCheck(context);
  announceHolds(context);
  tell(context, "info", "certificate.issued", {
    why,
    tier: certificate.tier,
    expiresAtSec: certificate.expirySec,
    models: models.join(","),
  });
  outbox.put(`certificate/${certificate.certHash}`, {
    kind: "certificate",
    row: {
      node: signer.address,
      certHash: certificate.certHash,
      tier: certificate.tier,
      backend: kit.attester.backendType,
      issuedAt: kit.clock.now(),
      expiresAt: certificate.expirySec * 1000,
    },
  });
  schedule.hasten("heartbeat", kit.clock.now());
  schedule.hasten("poll", kit.clock.now());
}

export async function heartbeatDuty(context: NodeContext): Promise<void> {
  const { icl, live, kit, schedule } = context;
  try {
    await lookBeforeBeat(context);
    await asBeat(context, () => icl.heartbeat());
    live.lastHeartbeatOkMs = kit.clock.now();
    countBeat(context, true);
    noteClock(context);
    // A second copy whose heartbeats always fell together with ours would never be noticed.
    schedule.hasten("heartbeat", kit.clock.now(), BEAT_LEAST_MS + spread() * BEAT_SPREAD_MS);
  } catch (error) {
    countBeat(context, false);
    // Whether the coordinator forgot us or is away, asking is the way to find out.
    suspect(context);
    throw error;
  }
}

/** Asks whether the coordinator knows this node as active, and attests again at once when it does not. */
export async function knownDuty(context: NodeContext): Promise<void> {
  const { live, kit } = context;
  const lookedMs = kit.clock.now() - live.lastRecordMs;
  if (lookedMs < (kit.settings.knownCheckSec * 1000) / 2 && !live.suspect) return;
  live.suspect = false;
  live.lastRecordMs = kit.clock.now();
  const record = await context.icl.nodeRecord().catch((error: unknown) => {
    if (error instanceof NodeError && error.code === "icl-unknown-node") return null;
    throw error;
  });
  if (record !== null) watchForCopy(context, lastHeartbeatSec(record.metrics));
  if (record !== null && (record.active !== false || attestedLately(context))) return;
  tell(context, "warn", "coordinator.forgot", {
    hint: "The coordinator restarted or dropped this node; attesting again.",
    answer: record === null ? "unknown node" : "not active",
  });
  await attestNow(context, "forgotten");
}

/**
 * Just before a heartbeat the coordinator has heard of this address for the last time about a minute ago, unless
 * another node has the same key: the best moment to ask whether it still knows us.
 */
async function lookBeforeBeat(context: NodeContext): Promise<void> {
  if (context.kit.settings.knownCheckSec < BEAT_LEAST_MS / 1000) return;
  await knownDuty(context).catch(() => undefined);
}

/** A coordinator may call a node inactive for reasons that attesting does not cure: then once in a while is enough. */
function attestedLately({ store, kit }: NodeContext): boolean {
  const certificate = store.get("certificate");
  return certificate !== null && kit.clock.now() - certificate.attestedAt < INACTIVE_REATTEST_MS;
}

/** A call was refused as from an unknown node: find out now instead of at the next round. */
export function suspectForgotten(context: NodeContext, error: unknown): void {
  if (error instanceof NodeError && error.code === "icl-unknown-node") suspect(context);
}

/** Asks at once, however lately it was asked. */
export function suspect({ live, schedule, kit }: NodeContext): void {
  live.suspect = true;
  schedule.hasten("known", kit.clock.now());
}

function countBeat(context: NodeContext, ok: boolean): void {
  const { live, kit, signer, outbox } = context;
  const nowMs = kit.clock.now();
  const hourMs = nowMs - (nowMs % HOUR_MS);
  if (live.beats.hourMs !== hourMs) {
    const { hourMs: past, sent, failed } = live.beats;
    if (sent + failed > 0) {
      outbox.put(`beats/${past}`, {
        kind: "beats",
        row: { node: signer.address, hour: past, sent, failed, lastAt: nowMs },
      });
    }
    live.beats = { hourMs, sent: 0, failed: 0 };
  }
  live.beats[ok ? "sent" : "failed"] += 1;
}

/** A number in [0, 1]. */
function spread(): number {
  return (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) / 255;
}

/** Tells the operator once that this machine's clock is off, and once that it is right again. */
function noteClock(context: NodeContext): void {
  const { live, icl } = context;
  const correctionMs = icl.clockCorrectionMs();
  if ((correctionMs !== 0) === live.clockTold) return;
  live.clockTold = correctionMs !== 0;
  const hint = "Correct this machine's clock (NTP). Meanwhile the coordinator's time is used towards the coordinator.";
  if (live.clockTold) tell(context, "warn", "clock.off", { seconds: Math.round(correctionMs / 1000), hint });
  else tell(context, "info", "clock.right", {});
}

/** Remembers the latest failure for the status page. */
export function noteFailure(context: NodeContext, duty: string, error: unknown): void {
  const failure = toFailure(error);
  const { live, kit, signer } = context;
  live.lastError = { code: failure.code, message: failure.message, hint: failure.hint, atMs: kit.clock.now() };
  kit.log("warn", "duty.failed", {
    node: signer.address,
    duty,
    code: failure.code,
    reason: failure.message,
    hint: failure.hint,
  });
}
