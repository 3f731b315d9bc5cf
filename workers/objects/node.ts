/**
 * The Node object, one per node address: certificate, duties, admission, the account's transactions, the commit guard,
 * pause, and the history outbox. `tick` does whatever is due and may be called too often. The next alarm is always
 * armed before anything else, because a fired alarm is spent; a cron tick revives a lost one.
 */
import { DurableObject } from "cloudflare:workers";
import type { ActionRequest } from "../../core/chain/actions.ts";
import { TransactionQueue } from "../../core/chain/queue.ts";
import { type Failure, toFailure } from "../../core/errors.ts";
import type { EncryptedOutputKey } from "../../core/executor/executor.ts";
import { failpoint } from "../../core/failpoint.ts";
import { backendNameOf } from "../../core/inference/backend.ts";
import { holdsSlot, isFinalState, type JobReport } from "../../core/jobs/job.ts";
import { DEFAULT_INTERVALS, type Duty, type DutyIntervals, DutySchedule } from "../../core/node/duties.ts";
import type { GuardCommitment } from "../../core/node/guard-interchange.ts";
import type { Result } from "../../core/result.ts";
import type { Env } from "../env.ts";
import { confidentialOf, createKit, iclOf, type Kit, signerOf, wire } from "../wiring.ts";
import { isAlarmLost } from "./alarm.ts";
import { CommitGuardTable, type GuardEntry, type GuardImport, type GuardRange } from "./node/commit-guard.ts";
import { type LiveState, type NodeContext, newLiveState, tell } from "./node/context.ts";
import {
  type DependencyFailure,
  noteDependencyFailure,
  noteDependencySuccess,
  probesDuty,
} from "./node/dependencies.ts";
import { chainDuty } from "./node/duties/chain.ts";
import { attestNow, heartbeatDuty, knownDuty, noteFailure, suspect, watchdogDuty } from "./node/duties/coordinator.ts";
import { earningsDuty } from "./node/duties/earnings.ts";
import { modelList, modelsDuty } from "./node/duties/models.ts";
import { pollDuty } from "./node/duties/poll.ts";
import { retentionDuty } from "./node/duties/retention.ts";
import { reviveDuty } from "./node/duties/revive.ts";
import { announceHolds, countEnd, endHolds, onProbation, putHold } from "./node/guards.ts";
import { JobIndex } from "./node/job-index.ts";
import { type ActionReply, actionRows, startAction } from "./node/operator-actions.ts";
import { Outbox } from "./node/outbox.ts";
import { type GrantReply, grantOutputKey, outputKeyPurpose } from "./node/output-key-grant.ts";
import { unconfigured } from "./node/refusals.ts";
import { type NodeSnapshot, nodeSnapshot } from "./node/snapshot.ts";
import { NodeStore } from "./node/store.ts";
import { historyOf } from "./node/transaction-history.ts";
import { forgetTransactions } from "./node/transaction-retention.ts";

/** The poll's pace is the alarm's pace. */
const ALARM_MS = DEFAULT_INTERVALS.poll;
/** A tick returns after this long whatever is still running, so that the next alarm is not held up. */
const TICK_WAIT_MS = 4_000;
/** Hints are unsigned: at most one poll a second comes of them. */
const HINT_MIN_MS = 1_000;
/** Duties whose own pace is too slow to wait for after a failure: without them nothing is claimed, or nothing is known. */
const RETRY_SOON_MS: Partial<Record<Duty, number>> = {
  heartbeat: 15_000,
  watchdog: 15_000,
  known: 15_000,
  models: 30_000,
  chain: 60_000,
};
export type CommandReply = { ok: true } | { ok: false; failure: Failure };

/** The sidecar is asked every minute how it is, or as often as the coordinator: it may be switched off, and its models change. */
const SIDECAR_INTERVAL_MS = 60_000;

function intervalsOf({ settings, sidecar }: Kit): DutyIntervals {
  const known = settings.knownCheckSec * 1000;
  const intervals = { ...DEFAULT_INTERVALS, known };
  return sidecar === null ? intervals : { ...intervals, models: Math.min(SIDECAR_INTERVAL_MS, known) };
}

export class Node extends DurableObject<Env> {
  readonly #store: NodeStore;
  readonly #jobs: JobIndex;
  readonly #guard: CommitGuardTable;
  readonly #outbox: Outbox;
  readonly #live: LiveState = newLiveState(Date.now());
  #context: NodeContext | null = null;
  #lastHintMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#store = new NodeStore(sql);
    this.#jobs = new JobIndex(sql);
    this.#guard = new CommitGuardTable(ctx.storage);
    this.#outbox = new Outbox(sql);
  }

  /** Tells the object whose it is; after that it lives by its own alarm. */
  async introduce(address: string): Promise<void> {
    if (this.#store.get("address") === null) this.#store.set("address", address);
  }

  /** Brings the node to life, revives its alarm if that was lost, and does whatever is due. */
  async tick(address: string): Promise<void> {
    await this.introduce(address);
    const alarm = await this.ctx.storage.getAlarm();
    if (isAlarmLost(alarm, Date.now())) await this.#arm();
    await this.#doDue();
  }

  override async alarm(): Promise<void> {
    await this.#arm();
    await this.#doDue().catch((error: unknown) => {
      wire(this.env).log("error", "tick.failed", { code: toFailure(error).code, reason: toFailure(error).message });
    });
  }

  /** A push from the coordinator, unsigned: nothing more than a reason to poll now. */
  async hint(): Promise<boolean> {
    const nowMs = Date.now();
    if (nowMs - this.#lastHintMs < HINT_MIN_MS) return false;
    this.#lastHintMs = nowMs;
    return (await this.#command("poll")).ok;
  }

  async snapshot(address: string): Promise<NodeSnapshot | null> {
    await this.introduce(address);
    const context = this.#open();
    return context === null ? null : nodeSnapshot(context);
  }

  /** The models this node serves, with their backends; null while unconfigured. */
  async models(
    address: string,
  ): Promise<{ node: string; models: { id: string; backend: string; served: boolean }[] } | null> {
    await this.introduce(address);
    const context = this.#open();
    return context === null ? null : { node: context.signer.address, models: modelList(context) };
  }

  /** Whether this node ever took the job on, as far as its index goes back. */
  async knowsJob(jobId: string): Promise<boolean> {
    return this.#jobs.has(jobId);
  }

  poll(): Promise<CommandReply> {
    return this.#command("poll");
  }

  async attest(): Promise<CommandReply> {
    const context = this.#open();
    if (context === null) return { ok: false, failure: unconfigured() };
    try {
      await attestNow(context, "operator");
      return { ok: true };
    } catch (error) {
      noteFailure(context, "attest", error);
      return { ok: false, failure: toFailure(error) };
    }
  }

  async pause(reason: string): Promise<CommandReply> {
    return this.#decide((context) => putHold(context, "operator", reason));
  }

  async resume(): Promise<CommandReply> {
    return this.#decide((context) => {
      endHolds(context);
      context.schedule.hasten("poll", Date.now());
      context.schedule.hasten("watchdog", Date.now());
      tell(context, "info", "node.resumed", { by: "operator", onProbation: onProbation(this.#store) });
    });
  }

  /** Finishes what is claimed, takes nothing new, then pauses. */
  async drain(): Promise<CommandReply> {
    return this.#decide((context) => {
      this.#store.set("draining", true);
      tell(context, "info", "node.draining", { open: this.#jobs.unsubmitted().length });
      this.#pauseWhenDrained(context);
    });
  }

  /** What the operator spends: staking and registration, each id once. It goes on without whoever asked. */
  async act(address: string, request: ActionRequest): Promise<ActionReply> {
    await this.introduce(address);
    const context = this.#open();
    if (context === null) return { kind: "unavailable", failure: unconfigured() };
    const reply = await startAction(context, request);
    if (reply.kind === "taken") {
      context.schedule.hasten("transactions", Date.now());
      await this.#arm();
      this.ctx.waitUntil(this.#doDue());
    }
    return reply;
  }

  /** The transactions of an operator's action as they are now; null where the id is not known here. */
  async action(address: string, id: string): Promise<ReturnType<typeof actionRows> | null> {
    await this.introduce(address);
    const context = this.#open();
    return context === null || context.transactions.actionRequest(id) === null ? null : actionRows(context, id);
  }

  // What this node's Assignment objects ask of it.

  async recordCommitment(entry: GuardEntry): Promise<Result<null, string>> {
    const recorded = this.#guard.record(entry, Date.now());
    const context = this.#open();
    if (__FAILPOINTS__) await failpoint("guard.recorded", this.#store.get("address") ?? "", entry.jobId);
    if (!recorded.ok && context !== null) tell(context, "error", "guard.refused", { jobId: entry.jobId });
    return recorded;
  }

  /** The commitments of this node that were recorded in a stretch of time, for another deployment of it. */
  async exportGuard(range: GuardRange): Promise<GuardCommitment[]> {
    return this.#guard.all(range);
  }

  /** Takes on what another deployment of this node recorded. */
  async importGuard(entries: GuardCommitment[]): Promise<GuardImport> {
    const result = this.#guard.merge(entries);
    const { imported, known, conflicts } = result;
    const context = this.#open();
    if (context !== null) {
      const level = conflicts.length === 0 ? "info" : "error";
      tell(context, level, "guard.imported", { imported, known, conflicts: conflicts.length });
    }
    return result;
  }

  async storeOutputKey(jobId: string, user: string, key: EncryptedOutputKey): Promise<GrantReply> {
    const context = this.#open();
    if (context === null) return { state: "failed", failure: unconfigured() };
    return grantOutputKey(context, { jobId, user, key });
  }

  /** Whether the chain still has a job's output key; one that it dropped is sent again. */
  async outputKeyStands(jobId: string): Promise<boolean> {
    const context = this.#open();
    if (context === null) throw new Error("the node's settings are at fault");
    const stands = await context.transactions.stands(outputKeyPurpose(jobId));
    if (!stands) this.ctx.waitUntil(context.transactions.run().catch(() => undefined));
    return stands;
  }

  /** The serialised, wrapped CoFHE permit, or null. */
  async loadPermit(): Promise<string | null> {
    return this.#store.get("permit");
  }

  async savePermit(envelope: string): Promise<void> {
    this.#store.set("permit", envelope);
  }

  /** A job entered a state that matters here: its slot may be free, or it is over. */
  async jobMoved(report: JobReport): Promise<void> {
    const { jobId, role, modelId, state, outcome, failure, standing } = report;
    const context = this.#open();
    // Recording the end and counting it happen together, so that a report that is repeated counts once.
    if (context === null) throw new Error("the node's settings are at fault: the report is repeated later");
    this.ctx.storage.transactionSync(() => {
      if (!this.#jobs.moved(jobId, state, holdsSlot(role, state), Date.now())) return;
      const code = failure?.code ?? `outcome-${outcome ?? "unknown"}`;
      if (isFinalState(state)) countEnd(context, { jobId, code }, standing);
      noteDependencySuccess(context, role, modelId, state);
    });
    if (state === "failed") context.transactions.cancelUnsigned(jobId);
    if (failure?.code === "model-key") this.#distrustKey(context, jobId);
    if (outcome === "accepted") context.schedule.hasten("earnings", Date.now(), 5_000);
    this.#pauseWhenDrained(context);
  }

  /** An effect of one of its jobs failed: what it met, the next job would meet too. */
  async effectFailed(modelId: string, failure: DependencyFailure): Promise<void> {
    const context = this.#open();
    if (context === null) return;
    if (failure.code === "icl-unknown-node") suspect(context);
    noteDependencyFailure(context, modelId, failure);
    announceHolds(context);
  }

  async #arm(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
  }

  async #doDue(): Promise<void> {
    const context = this.#open();
    if (context === null) return;
    announceHolds(context);
    const duties = context.schedule.take(Date.now()).map((duty) => this.#perform(context, duty));
    // A timer left behind would keep the object awake, and billed, between ticks.
    const timer = new AbortController();
    const tooLong = context.kit.clock.sleep(TICK_WAIT_MS, timer.signal).catch(() => undefined);
    await Promise.race([Promise.all(duties), tooLong]);
    timer.abort();
  }

  async #command(duty: Duty): Promise<CommandReply> {
    const context = this.#open();
    if (context === null) return { ok: false, failure: unconfigured() };
    if (!context.schedule.takeOne(duty, Date.now())) return { ok: true };
    const failure = await this.#perform(context, duty);
    return failure === null ? { ok: true } : { ok: false, failure };
  }

  async #decide(decision: (context: NodeContext) => void): Promise<CommandReply> {
    const context = this.#open();
    if (context === null) return { ok: false, failure: unconfigured() };
    decision(context);
    return { ok: true };
  }

  /** Never throws: a duty that fails is noted and comes round again. */
  async #perform(context: NodeContext, duty: Duty): Promise<Failure | null> {
    try {
      await this.#run(context, duty);
      return null;
    } catch (error) {
      noteFailure(context, duty, error);
      const soonMs = RETRY_SOON_MS[duty];
      if (soonMs !== undefined) context.schedule.hasten(duty, Date.now(), soonMs);
      return toFailure(error);
    } finally {
      context.schedule.finished(duty);
      // A duty that asked for another to come early should not wait for the next alarm.
      if (duty === "watchdog" || duty === "known" || duty === "heartbeat") this.ctx.waitUntil(this.#doDue());
    }
  }

  #run(context: NodeContext, duty: Duty): Promise<void> {
    const certified = this.#store.get("certificate") !== null;
    switch (duty) {
      case "poll":
        return pollDuty(context);
      case "heartbeat":
        return certified ? heartbeatDuty(context) : Promise.resolve();
      case "watchdog":
        return watchdogDuty(context);
      case "known":
        return certified ? knownDuty(context) : Promise.resolve();
      case "chain":
        return chainDuty(context);
      case "models":
        return modelsDuty(context);
      case "earnings":
        return earningsDuty(context);
      case "history":
        return this.#outbox.flush(this.env.DB);
      case "transactions":
        return context.transactions.run();
      case "probes":
        return probesDuty(context);
      case "revive":
        return reviveDuty(context);
      case "retention":
        return retentionDuty(context);
    }
  }

  /** A job found its backend's key refused: nothing more is claimed for that backend until the provider takes it. */
  #distrustKey(context: NodeContext, jobId: string): void {
    const job = this.#jobs.get(jobId);
    if (job === null) return;
    context.live.refusedKeys.add(backendNameOf(job.modelId));
    context.schedule.hasten("models", Date.now());
  }

  #pauseWhenDrained(context: NodeContext): void {
    if (this.#store.get("draining") !== true || this.#jobs.unsubmitted().length > 0) return;
    this.#store.clear("draining");
    putHold(context, "drained", "drained, as the operator asked");
  }

  /** The node's working parts; null while the settings are at fault or name another key. */
  #open(): NodeContext | null {
    if (this.#context !== null) return this.#context;
    const { configured, log } = wire(this.env);
    const address = this.#store.get("address");
    if (configured === null || address === null) return null;
    const kit = createKit(configured.settings, log);
    const signer = signerOf(configured, kit, address);
    if (signer === null) return null;
    const outbox = this.#outbox;
    const { sql } = this.ctx.storage;
    const transactions = new TransactionQueue(sql, {
      client: kit.chain,
      signer,
      clock: kit.clock,
      log: kit.log,
      onChange: (row) => {
        for (const [key, entry] of historyOf(signer.address, row)) outbox.put(key, entry);
        // Stake and registration have changed.
        if (row.action !== null && row.state === "confirmed") this.#context?.schedule.hasten("chain", Date.now());
      },
    });
    const permits = { load: () => this.loadPermit(), save: (envelope: string) => this.savePermit(envelope) };
    const { canEncrypt } = confidentialOf(kit, signer, permits);
    const live = this.#live;
    this.#context = {
      env: this.env,
      kit,
      signer,
      icl: iclOf(kit, signer),
      store: this.#store,
      jobs: this.#jobs,
      outbox,
      transactions,
      forgetTransactions: (days, limit) => forgetTransactions(sql, kit.clock.now(), days, limit),
      schedule: new DutySchedule(intervalsOf(kit)),
      live,
      canEncryptOutputKey: () => canEncrypt ?? live.sidecar?.encryptsOutputKeys ?? false,
    };
    return this.#context;
  }
}
