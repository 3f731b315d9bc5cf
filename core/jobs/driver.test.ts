import { beforeEach, describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { JobDriver, type JobStore, type PerformEffect } from "./driver.ts";
import { type EffectKind, type Job, newJob } from "./job.ts";
import type { JobEvent } from "./machine.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "./sample-offer.ts";

const T0 = SAMPLE_MS;
const HASH = "cd".repeat(32);
const INPUT = { ctHash: "1", securityZone: 0, utype: 6, signature: "0x00" };

/** A row that behaves like SQLite's: version-guarded, and only JSON goes in. */
class Row implements JobStore {
  json: string;
  saves = 0;
  constructor(job: Job) {
    this.json = JSON.stringify(job);
  }
  load(): Job {
    return JSON.parse(this.json) as Job;
  }
  save(job: Job, previousVersion: number, alongside?: () => void): boolean {
    if (this.load().version !== previousVersion) return false;
    this.json = JSON.stringify(job);
    this.saves++;
    alongside?.();
    return true;
  }
}

/** Time that passes only when everyone is asleep. */
class Time implements Clock {
  ms = T0;
  now(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    const until = this.ms + ms;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.ms = Math.max(this.ms, until);
  }
}

const ANSWERS: Record<EffectKind, JobEvent> = {
  claim: { type: "claimed", keyHandles: { high: "7", low: "9" }, outputKey: "v1.k", sentAtMs: T0 },
  execute: { type: "executed", answerDigest: HASH, timingsMs: {} },
  "encrypt-key": { type: "key-encrypted", encryptedKey: { high: INPUT, low: INPUT } },
  "find-leader": { type: "leader-found", outputCid: "bafk", leaderCommitment: HASH },
  pin: { type: "pinned", outputCid: "bafk" },
  commit: { type: "committed", commitment: HASH, verdict: null },
  grant: { type: "granted", tx: "0x01" },
  submit: { type: "submitted" },
  follow: { type: "finalized", outcome: "accepted" },
};

let row: Row;
let time: Time;
let performed: EffectKind[];
let moved: string[];

function fresh(role: "leader" | "verifier"): Job {
  return newJob(SAMPLE_NODE, sampleOffer(role), T0);
}

function driver(perform: PerformEffect = async (kind) => ({ event: ANSWERS[kind] })): JobDriver {
  return new JobDriver({
    store: row,
    clock: time,
    log: () => undefined,
    onMoved: (job) => moved.push(job.state),
    perform: (kind, job, signal) => {
      performed.push(kind);
      return perform(kind, job, signal);
    },
  });
}

beforeEach(() => {
  time = new Time();
  performed = [];
  moved = [];
  row = new Row(fresh("leader"));
});

describe("the driver", () => {
  it("carries a leader's job to its end in one run, each effect once", async () => {
    expect(await driver().run()).toBeNull();
    expect(moved).toEqual(["claimed", "answered", "published", "granted", "submitted", "settled"]);
    expect(performed).toEqual(["claim", "execute", "encrypt-key", "pin", "commit", "grant", "submit", "follow"]);
  });

  it("looks for the leader while a verifier's answer is being computed", async () => {
    row = new Row(fresh("verifier"));
    let finishInference = () => {};
    const inference = new Promise<void>((resolve) => {
      finishInference = resolve;
    });
    const run = driver(async (kind) => {
      if (kind === "execute") await inference;
      if (kind === "find-leader") finishInference();
      return { event: ANSWERS[kind] };
    }).run();
    expect(await run).toBeNull();
    expect(performed.slice(0, 3)).toEqual(["claim", "execute", "find-leader"]);
  });

  it("goes on from the saved row after a crash at any save, without repeating what was saved", async () => {
    await driver().run();
    const total = row.saves;
    for (let crashAt = 1; crashAt < total; crashAt++) {
      row = new Row(fresh("leader"));
      performed = [];
      const save = row.save.bind(row);
      let dead = false;
      row.save = (...args) => {
        if (dead) throw new Error("killed");
        const saved = save(...args);
        dead = row.saves === crashAt;
        return saved;
      };
      await driver()
        .run()
        .catch(() => undefined);
      const before = row.load();
      row.save = save;
      await driver().run();
      expect(row.load()).toMatchObject({ state: "settled", outcome: "accepted" });
      if (before.answerDigest !== null) expect(performed.filter((kind) => kind === "execute")).toHaveLength(1);
      if (before.grantTx !== null) expect(performed.filter((kind) => kind === "grant")).toHaveLength(1);
    }
  });

  it("runs once at a time: a second call joins the first", async () => {
    const one = driver();
    await Promise.all([one.run(), one.run(), one.run()]);
    expect(performed.filter((kind) => kind === "claim")).toHaveLength(1);
  });

  it("stores what belongs to an event in the same transaction", async () => {
    let stored = 0;
    await driver(async (kind) => ({
      event: ANSWERS[kind],
      ...(kind === "execute" ? { alongside: () => (stored = row.saves) } : {}),
    })).run();
    const answered = row.load().times.answered;
    expect(stored).toBeGreaterThan(0);
    expect(answered).toBeDefined();
  });

  it("says when to be woken while something has to be waited for", async () => {
    const wake = await driver(async (kind) =>
      kind === "follow" ? { event: { type: "wait", effect: "follow" } } : { event: ANSWERS[kind] },
    ).run();
    expect(wake).toBe(time.ms + 500);
    expect(row.load().state).toBe("submitted");
  });

  it("turns an error into the job's failure with its code and hint", async () => {
    await driver(async (kind) => {
      if (kind === "execute")
        throw new NodeError("model-key", "the key was refused", { retry: "never", hint: "new key" });
      return { event: ANSWERS[kind] };
    }).run();
    expect(row.load().failure).toEqual({
      code: "model-key",
      message: "the key was refused",
      hint: "new key",
      in: "claimed",
    });
  });

  it("never lets a foreign error's text into the row", async () => {
    await driver(async (kind) => {
      if (kind === "execute") throw new Error("plaintext inside");
      return { event: ANSWERS[kind] };
    }).run();
    expect(row.json).not.toContain("plaintext inside");
    expect(row.load().work.execute?.lastError?.code).toBe("internal");
  });

  it("aborts what still runs when the job's time is over", async () => {
    let aborted = false;
    await driver(async (kind, _job, signal) => {
      if (kind !== "execute") return { event: ANSWERS[kind] };
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      aborted = true;
      throw new Error("aborted");
    }).run();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(row.load()).toMatchObject({ state: "failed", failure: { code: "deadline" } });
    expect(aborted).toBe(true);
  });
});
