/** What the status page and the API say of a node: plain data, no secrets. Unknown figures are null, never 0. */
import type { Breaker } from "../../../core/node/breakers.ts";
import type { FailureCount } from "../../../core/node/failures.ts";
import type { Hold } from "../../../core/node/holds.ts";
import type { NodeContext } from "./context.ts";
import { servedModels } from "./duties/models.ts";
import { slotsOf } from "./duties/poll.ts";
import { failureCount, holdsOf, inARow, onProbation } from "./guards.ts";
import type { IndexedJob } from "./job-index.ts";
import type { ChainView, EarningsView } from "./store.ts";

export interface NodeSnapshot {
  address: string;
  state: "running" | "paused" | "draining" | "attesting";
  /** What keeps it from claiming, most serious first; `blocks` says what is left unclaimed. */
  holds: Hold[];
  /** Claimed jobs that failed in a row; three take the whole stake. `chain` is null where it was not read. */
  failures: { inARow: number; own: number; chain: number | null; onProbation: boolean; recent: FailureCount["recent"] };
  /** Services that failed lately. */
  dependencies: (Breaker & { name: string })[];
  executor: string;
  attestationBackend: string;
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
  /** The coordinator's clock less this machine's. */
  clockSkewMs: number | null;
  /** What to add to this machine's clock to be on the coordinator's; 0 while they are close. */
  clockCorrectionMs: number;
}

export function nodeSnapshot(context: NodeContext): NodeSnapshot {
  const { store, live, jobs, kit, signer, icl } = context;
  const certificate = store.get("certificate");
  const holds = holdsOf(context);
  const count = failureCount(store);
  const nowSec = Math.floor(kit.clock.now() / 1000);
  return {
    address: signer.address,
    state: holds.some(({ blocks }) => blocks === "everything")
      ? "paused"
      : store.get("draining") === true
        ? "draining"
        : certificate === null
          ? "attesting"
          : "running",
    holds,
    failures: {
      inARow: inARow(store),
      own: count.inARow,
      chain: store.get("chain")?.stake?.consecutiveFailures ?? null,
      onProbation: onProbation(store),
      recent: count.recent,
    },
    dependencies: Object.entries(store.get("breakers") ?? {}).map(([name, breaker]) => ({ name, ...breaker })),
    executor: kit.settings.executor,
    attestationBackend: kit.settings.attestation.backend,
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
    slots: { total: slotsOf(context), open: jobs.open().length },
    openJobs: jobs.unsubmitted(),
    chain: store.get("chain"),
    earnings: store.get("earnings"),
    lastError: live.lastError,
    clockSkewMs: icl.clockSkewMs(),
    clockCorrectionMs: icl.clockCorrectionMs(),
  };
}
