/**
 * The hourly look at the chain: registration, heartbeat, balances, stake. Sends `NodeRegistry.heartbeat()` when it is
 * due (10 days, or a day before a shorter grace ends) and only for a registered node, because it reverts for others.
 */
import { heartbeatCall } from "../../../../core/chain/calls.ts";
import { readNodeView } from "../../../../core/chain/reads.ts";
import { chainHeartbeatDue } from "../../../../core/node/duties.ts";
import { type NodeContext, tell } from "../context.ts";
import { pauseOnFailures } from "../guards.ts";

/** A heartbeat that failed or reverted is tried again at the next look after this. */
const RETRY_AFTER_MS = 3_000_000;
/** A million gwei: an RPC node that says more errs, and must not keep the node from leading for an hour. */
const GAS_PRICE_MAX_WEI = 10n ** 15n;

export async function chainDuty(context: NodeContext): Promise<void> {
  const { kit, signer, store, transactions } = context;
  const { contracts } = kit.settings;
  const [view, gasPriceWei] = await Promise.all([
    readNodeView(kit.chain, contracts, signer.address),
    kit.chain.getGasPrice().then(
      (wei) => (wei > GAS_PRICE_MAX_WEI ? null : wei),
      () => null,
    ),
  ]);
  const nowMs = kit.clock.now();
  const before = store.get("chain");
  const { registry, stake } = view;
  store.set("chain", {
    atMs: nowMs,
    registered: registry?.registered ?? false,
    active: registry?.active ?? false,
    lastHeartbeatSec: registry?.lastHeartbeatSec ?? 0,
    ethWei: String(view.ethWei),
    blindWei: view.blindWei === null ? null : String(view.blindWei),
    gasPriceWei: gasPriceWei === null ? null : String(gasPriceWei),
    stake:
      stake === null
        ? null
        : {
            staked: String(stake.staked),
            unbonding: String(stake.unbonding),
            consecutiveFailures: stake.consecutiveFailures,
            active: stake.active,
          },
  });
  const failures = stake?.consecutiveFailures ?? 0;
  if (failures > (before?.stake?.consecutiveFailures ?? 0)) {
    tell(context, "warn", "chain.failures", { inARow: failures, hint: "Three in a row take the whole stake." });
  }
  pauseOnFailures(context);
  if (registry === null || !registry.registered || contracts.nodeRegistry === undefined) return;
  const nowSec = Math.floor(nowMs / 1000);
  if (!chainHeartbeatDue(registry.lastHeartbeatSec, registry.graceSec, nowSec)) return;
  // The last heartbeat's time makes the purpose: one transaction for one due heartbeat, however often we look.
  const call = heartbeatCall(contracts.nodeRegistry, registry.lastHeartbeatSec);
  // One that came to nothing must not be the last one: only a heartbeat changes the purpose.
  transactions.retryFailed(call.purpose, RETRY_AFTER_MS);
  transactions.enqueue(call, null);
  await transactions.run();
}
