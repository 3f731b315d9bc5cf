/** What the status page and the API say of a node: plain data, no secrets. Unknown figures are null, never 0. */

import type { NodeContext } from "./context.ts";
import { servedModels } from "./duties/models.ts";
import type { IndexedJob } from "./job-index.ts";
import type { ChainView, EarningsView, Pause } from "./store.ts";

export interface NodeSnapshot {
  address: string;
  state: "running" | "paused" | "draining" | "attesting";
  pause: Pause | null;
  executor: string;
  tier: number | null;
  certificate: { certHash: string; expiresAtSec: number; secondsLeft: number } | null;
  lastPollAtMs: number | null;
  lastHeartbeatAtMs: number | null;
  models: string[];
  roles: readonly string[];
  slots: { total: number; open: number };
  /** Jobs that the coordinator still waits for. */
  openJobs: IndexedJob[];
  chain: ChainView | null;
  earnings: EarningsView | null;
  lastError: { code: string; message: string; hint: string; atMs: number } | null;
  clockSkewMs: number | null;
}

export function nodeSnapshot(context: NodeContext): NodeSnapshot {
  const { store, live, jobs, kit, signer, icl } = context;
  const certificate = store.get("certificate");
  const pause = store.get("pause");
  const nowSec = Math.floor(kit.clock.now() / 1000);
  return {
    address: signer.address,
    state:
      pause !== null
        ? "paused"
        : store.get("draining") === true
          ? "draining"
          : certificate === null
            ? "attesting"
            : "running",
    pause,
    executor: kit.settings.executor,
    tier: certificate?.tier ?? null,
    certificate:
      certificate === null
        ? null
        : {
            certHash: certificate.certHash,
            expiresAtSec: certificate.expirySec,
            secondsLeft: Math.max(0, certificate.expirySec - nowSec),
          },
    lastPollAtMs: live.lastPollOkMs,
    lastHeartbeatAtMs: live.lastHeartbeatOkMs,
    models: servedModels(context),
    roles: kit.settings.roles,
    slots: { total: kit.settings.maxConcurrentJobs, open: jobs.open().length },
    openJobs: jobs.unsubmitted(),
    chain: store.get("chain"),
    earnings: store.get("earnings"),
    lastError: live.lastError,
    clockSkewMs: icl.clockSkewMs(),
  };
}
