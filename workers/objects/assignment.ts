/**
 * The Assignment object, one per (node, job): the durable job. Its SQLite row is the truth about the job, its alarm
 * drives it. The offer is saved before the claim goes out, and every state before its effect runs. When the job is
 * over and both the Node object and D1 know, nothing is left armed and the sealed answer is gone.
 */
import { DurableObject } from "cloudflare:workers";
import type { PermitStore } from "../../core/cofhe/client.ts";
import { NodeError, toFailure } from "../../core/errors.ts";
import { failpoint } from "../../core/failpoint.ts";
import type { Assignment as Offer } from "../../core/icl/schema.ts";
import { JobDriver } from "../../core/jobs/driver.ts";
import { type AccountPort, createEffects } from "../../core/jobs/effects.ts";
import { concernsNode, isFinal, type Job, newJob } from "../../core/jobs/job.ts";
import type { UnreadableJob } from "../../core/jobs/upgrade.ts";
import { dependencyOf } from "../../core/node/breakers.ts";
import { standingOf } from "../../core/node/failures.ts";
import { backoffMs } from "../../core/retry.ts";
import type { Signer } from "../../core/signer.ts";
import { writeJob } from "../adapters/history.ts";
import type { Env } from "../env.ts";
import { confidentialOf, createKit, iclOf, type Kit, signerOf, wire } from "../wiring.ts";
import { isAlarmLost } from "./alarm.ts";
import { type JobRetention, JobRow } from "./assignment/job-row.ts";

/** Armed before working: how soon a crash in the middle is picked up again. */
const SAFETY_ALARM_MS = 2_000;
/** How soon a report to the Node object or a write to D1 that failed is tried again: D1 may be away for an hour. */
const REPORT_RETRY = { baseMs: 5_000, maxMs: 300_000 };
/** How soon an alarm that failed as a whole is tried again. */
const ALARM_RETRY_MS = 5_000;
/** How soon to look again at a row of a newer version: that version may be back while the job can be saved. */
const UNREADABLE_RETRY = { baseMs: 30_000, maxMs: 600_000 };
/** How soon to look again when the settings do not allow work. */
const UNCONFIGURED_RETRY_MS = 30_000;

/** Shown in place of a job that this version cannot read. */
export type UnreadableSnapshot = { state: "unreadable"; failure: UnreadableJob };

export class Assignment extends DurableObject<Env> {
  readonly #row: JobRow;
  #driver: JobDriver | null = null;
  #projecting: Promise<boolean> | null = null;
  /** Rounds in a row in which the Node object or D1 could not be told. */
  #untold = 0;
  /** Looks in a row at a job that this version cannot read. */
  #looks = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#row = new JobRow(ctx.storage);
  }

  /** Saves the offer and starts the job. A repeat changes nothing. */
  async offer(node: string, offer: Offer): Promise<void> {
    if (this.#row.load() === null) this.#row.insert(newJob(node, offer, Date.now()));
    if (__FAILPOINTS__) await failpoint("offer.saved", node, offer.jobId);
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now());
  }

  /**
   * Makes sure that the job has a next moment: an alarm may be lost, or lie in the past and never fire.
   * @returns `absent` where this object holds no job, `unreadable` where this version cannot work on it
   */
  async wake(): Promise<"awake" | "absent" | "unreadable"> {
    const read = this.#row.read();
    if (!read.ok) return "unreadable";
    const job = read.value;
    if (job === null) return "absent";
    const alarm = await this.ctx.storage.getAlarm();
    const lost = isAlarmLost(alarm, Date.now());
    const done = isFinal(job) && this.#row.reportedState() === job.state;
    if (lost && !done) await this.ctx.storage.setAlarm(Date.now());
    // The Node object asks because it has not heard: it may have lost a report that was confirmed.
    else if (done) await this.#report(true);
    return "awake";
  }

  /** The job's record as the API shows it, without the wrapped key; or why this version cannot read it. */
  async snapshot(): Promise<Omit<Job, "outputKey"> | UnreadableSnapshot | null> {
    const read = this.#row.read();
    if (!read.ok) return { state: "unreadable", failure: read.refusal };
    const job = read.value;
    if (job === null) return null;
    const { outputKey: _wrapped, ...shown } = job;
    return shown;
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + SAFETY_ALARM_MS);
    try {
      const wakeMs = await this.#drive();
      if (wakeMs === null) await this.ctx.storage.deleteAlarm();
      else await this.ctx.storage.setAlarm(wakeMs);
    } catch (error) {
      const { code, message } = toFailure(error);
      wire(this.env).log("error", "assignment.alarm-failed", { code, reason: message });
      await this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  /** Works until nothing is due. Gives the next moment to wake, or null when everything is over and told. */
  async #drive(): Promise<number | null> {
    const read = this.#row.read();
    if (!read.ok) return this.#leave(read.refusal);
    const job = read.value;
    if (job === null) return null;
    const driver = this.#driverFor(job);
    if (driver === null) return Date.now() + UNCONFIGURED_RETRY_MS;
    const wakeMs = await driver.run();
    if (wakeMs === null && this.#keep().sealedAnswerHours === 0) this.#row.forgetAnswer();
    this.#untold = (await this.#tellAll()) ? 0 : this.#untold + 1;
    const retryMs = Date.now() + backoffMs(this.#untold, REPORT_RETRY);
    if (wakeMs !== null) return this.#untold === 0 ? wakeMs : Math.min(wakeMs, retryMs);
    if (this.#untold > 0) return retryMs;
    if (__FAILPOINTS__) await failpoint("end.told", job.node, job.jobId);
    return this.#row.tidy(this.#keep(), Date.now());
  }

  /** A row that this version cannot work on stays as it is. Gives when to look again: a damaged one mends by no waiting. */
  #leave({ reason, code, message, hint }: UnreadableJob): number | null {
    wire(this.env).log("error", "assignment.unreadable", { code, reason: message, hint, object: String(this.ctx.id) });
    this.#looks += 1;
    return reason === "newer" ? Date.now() + backoffMs(this.#looks, UNREADABLE_RETRY) : null;
  }

  /** How long what is left of a finished job stays. With settings at fault nothing is deleted that they might keep. */
  #keep(): JobRetention {
    return wire(this.env).configured?.settings.retention ?? { jobRecordDays: 365, sealedAnswerHours: 720 };
  }

  /** Tells the Node object and D1 whatever they do not know yet. True when both are up to date. */
  async #tellAll(): Promise<boolean> {
    const [reported, projected] = await Promise.all([this.#report(), this.#project()]);
    return reported && projected;
  }

  async #report(again = false): Promise<boolean> {
    const job = this.#row.load();
    if (job === null || !concernsNode(job.role, job.state)) return true;
    if (!again && this.#row.reportedState() === job.state) return true;
    try {
      const node = this.env.NODE.getByName(job.node);
      const { jobId, role, modelId, state, outcome, failure } = job;
      await node.jobMoved({ jobId, role, modelId, state, outcome, failure, standing: standingOf(job) });
      if (__FAILPOINTS__) await failpoint("report.unmarked", job.node, job.jobId);
      this.#row.setReportedState(job.state);
      return true;
    } catch (error) {
      wire(this.env).log("warn", "assignment.report-failed", { jobId: job.jobId, reason: toFailure(error).message });
      return false;
    }
  }

  /** Writes the job to D1; calls that come while one is under way share the next write. */
  #project(): Promise<boolean> {
    const after = this.#projecting ?? Promise.resolve(true);
    const next = after.then(() => this.#projectOnce());
    this.#projecting = next;
    return next;
  }

  async #projectOnce(): Promise<boolean> {
    const job = this.#row.load();
    if (job === null || this.#row.projectedVersion() === job.version) return true;
    try {
      await writeJob(this.env.DB, job, Date.now());
      if (__FAILPOINTS__) await failpoint("history.unmarked", job.node, job.jobId);
      this.#row.setProjectedVersion(job.version);
      return true;
    } catch (error) {
      wire(this.env).log("warn", "history.write-failed", { jobId: job.jobId, reason: toFailure(error).message });
      return false;
    }
  }

  #driverFor(job: Job): JobDriver | null {
    if (this.#driver !== null) return this.#driver;
    const { configured, log } = wire(this.env);
    if (configured === null) return null;
    const kit = createKit(configured.settings, log);
    const signer = signerOf(configured, kit, job.node);
    if (signer === null) return null;
    const driver: JobDriver = new JobDriver({
      store: this.#row,
      clock: kit.clock,
      log: kit.log,
      perform: this.#effects(kit, signer, job.modelId, () => driver.apply({ type: "claim-sent" })),
      onMoved: (moved) => {
        this.ctx.waitUntil(this.#project());
        // The end is reported when the driver has let go of the job.
        if (!isFinal(moved)) this.ctx.waitUntil(this.#report());
      },
    });
    this.#driver = driver;
    return driver;
  }

  #effects(kit: Kit, signer: Signer, modelId: string, recordClaimSent: () => void) {
    const node = () => this.env.NODE.getByName(signer.address);
    const permits: PermitStore = {
      load: () => node().loadPermit(),
      save: (envelope) => node().savePermit(envelope),
    };
    const account: AccountPort = {
      outputKeyStands: (jobId) => node().outputKeyStands(jobId),
      async storeOutputKey(jobId, user, key) {
        const reply = await node().storeOutputKey(jobId, user, key);
        if (reply.state !== "failed") return reply;
        const { code, message, ...rest } = reply.failure;
        throw new NodeError(code, message, rest);
      },
    };
    return createEffects({
      icl: iclOf(kit, signer),
      executor: confidentialOf(kit, signer, permits).executor,
      pinner: kit.pinner,
      answers: this.#row,
      guard: { record: (entry) => node().recordCommitment(entry) },
      account,
      clock: kit.clock,
      skipOutputKeyStorage: kit.settings.skipOutputKeyStorage,
      recordClaimSent,
      onFailure: (failure) => {
        if (failure.code !== "icl-unknown-node" && dependencyOf(failure.code, modelId) === null) return;
        this.ctx.waitUntil(
          node()
            .effectFailed(modelId, failure)
            .catch(() => undefined),
        );
      },
    });
  }
}
