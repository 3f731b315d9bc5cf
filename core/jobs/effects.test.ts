import { beforeEach, describe, expect, it } from "vitest";
import { commitmentFromDigest } from "../crypto/commitment.ts";
import { NodeError } from "../errors.ts";
import { EXECUTOR_VERSION, type Executor } from "../executor/executor.ts";
import type { IclClient } from "../icl/client.ts";
import type { JobStatus } from "../icl/schema.ts";
import { ok, refuse } from "../result.ts";
import { createEffects, type EffectPorts } from "./effects.ts";
import { type Job, newJob } from "./job.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "./sample-offer.ts";

const DIGEST = "ab".repeat(32);
const CID = "bafkreif5r4yzqfj75h4gvrvdbaxh24iio2ab25jykfmdekhqyluhkjc64i";
const INPUT = { ctHash: "1", securityZone: 0, utype: 6, signature: "0x00" };
const QUEUED: JobStatus = {
  status: "QUEUED",
  outputCid: null,
  leaderCommitment: null,
  failureReason: null,
};

/** Everything that happened, in order. */
let happened: string[];
let status: JobStatus;
let refusal: NodeError | null;
/** The request is not even signed. */
let unsigned: NodeError | null;
let guardSays: ReturnType<typeof ok<null>> | ReturnType<typeof refuse<string>>;
let correctionMs: number;

function unused(): never {
  throw new Error("not part of this test");
}

const icl: IclClient = {
  challenge: unused,
  verifyAttestation: unused,
  heartbeat: unused,
  assignments: unused,
  nodeRecord: unused,
  health: unused,
  clockSkewMs: () => null,
  clockCorrectionMs: () => correctionMs,
  async claim(jobId, onLeaving) {
    if (unsigned !== null) throw unsigned;
    onLeaving?.();
    happened.push(`claim ${jobId}`);
    if (refusal !== null) throw refusal;
    return { kpHighHandle: 7n, kpLowHandle: 9n, claimDeadline: 1_800_000_300 };
  },
  async submitResult(result) {
    happened.push(`result ${result.commitment_hash}`);
    if (refusal !== null) throw refusal;
    return { status: "committed" };
  },
  async submitVerdict(verdict) {
    happened.push(`verdict ${verdict.verdict} ${verdict.commitment_hash} ${verdict.confidence}`);
    if (refusal !== null) throw refusal;
    return { status: "committed" };
  },
  async jobStatus() {
    happened.push("status");
    return status;
  },
};

const executor: Executor = {
  async execute() {
    return { version: EXECUTOR_VERSION, answerDigest: DIGEST, sealedAnswer: new Uint8Array([1, 2, 3]), timingsMs: {} };
  },
  async newOutputKey() {
    happened.push("new key");
    return "v1.wrapped";
  },
  async encryptOutputKey() {
    return { high: INPUT, low: INPUT };
  },
};

let keyStands = true;
const failures: string[] = [];
const ports: EffectPorts = {
  icl,
  executor,
  pinner: null,
  answers: {
    saveSealed: (bytes) => void happened.push(`sealed ${bytes.length}`),
    loadSealed: () => new Uint8Array([1, 2, 3]),
  },
  guard: {
    async record({ commitment }) {
      happened.push(`guard ${commitment}`);
      return guardSays;
    },
  },
  account: { storeOutputKey: async () => ({ state: "pending" }), outputKeyStands: async () => keyStands },
  clock: { now: () => SAMPLE_MS, sleep: async () => undefined },
  skipOutputKeyStorage: false,
  recordClaimSent: () => void happened.push("claim saved"),
  onFailure: ({ code }) => void failures.push(code),
};

function job(role: "leader" | "verifier", fields: Partial<Job> = {}): Job {
  return {
    ...newJob(SAMPLE_NODE, sampleOffer(role), SAMPLE_MS),
    state: "answered",
    keyHandles: { high: "7", low: "9" },
    answerDigest: DIGEST,
    outputCid: CID,
    ...fields,
  };
}

const perform = createEffects(ports);
const calm = new AbortController().signal;
const ours = await commitmentFromDigest(CID, DIGEST);

beforeEach(() => {
  unsigned = null;
  happened = [];
  failures.splice(0);
  status = QUEUED;
  refusal = null;
  guardSays = ok(null);
  keyStands = true;
  correctionMs = 0;
});

describe("claiming", () => {
  it("saves that the claim leaves before it does, and makes a leader's key only once it is taken", async () => {
    const { event } = await perform("claim", job("leader", { state: "offered" }), calm);
    expect(happened).toEqual(["claim saved", "claim job-1", "new key"]);
    expect(event).toMatchObject({ type: "claimed", keyHandles: { high: "7", low: "9" }, outputKey: "v1.wrapped" });
  });

  it("makes no key for a verifier", async () => {
    await perform("claim", job("verifier", { state: "offered" }), calm);
    expect(happened).not.toContain("new key");
  });

  it("takes the coordinator's deadline on this machine's clock", async () => {
    correctionMs = 600_000;
    const { event } = await perform("claim", job("verifier", { state: "offered" }), calm);
    expect(event).toMatchObject({ claimDeadlineSec: 1_800_000_300 - 600 });
  });

  it("that the coordinator refuses is over, and tells why", async () => {
    refusal = new NodeError("icl-refused", "no", { retry: "never", hint: "" });
    await expect(perform("claim", job("leader"), calm)).rejects.toMatchObject({
      code: "claim-refused",
      retry: "never",
    });
    expect(failures).toEqual(["claim-refused"]);
  });
});

it("a claim that cannot even be signed has not left", async () => {
  unsigned = new NodeError("sidecar-unreachable", "the sidecar does not answer", { retry: "later", hint: "h" });
  await expect(perform("claim", job("leader", { state: "offered" }), calm)).rejects.toThrow(unsigned);
  expect(happened).toEqual([]);
});

describe("claiming again, after an answer that was lost,", () => {
  const offeredHandles = { high: "3", low: "4" };
  const again = (fields: Partial<Job>) =>
    job("leader", { state: "offered", claimSentAtMs: SAMPLE_MS - 9_000, ...fields });

  it("takes what the coordinator says now", async () => {
    const { event } = await perform("claim", again({ offeredHandles }), calm);
    expect(event).toMatchObject({ type: "claimed", keyHandles: { high: "7", low: "9" }, sentAtMs: SAMPLE_MS });
  });

  it("goes on with the offer's handles when it is refused, in what is left of the first claim's window", async () => {
    refusal = new NodeError("icl-refused", "no", { retry: "never", hint: "" });
    const { event } = await perform("claim", again({ offeredHandles }), calm);
    expect(event).toEqual({
      type: "claimed",
      keyHandles: offeredHandles,
      sentAtMs: SAMPLE_MS - 9_000,
      outputKey: "v1.wrapped",
    });
    expect(failures).toEqual([]);
  });

  it("is lost when it is refused and the offer named no handles", async () => {
    refusal = new NodeError("icl-refused", "no", { retry: "never", hint: "" });
    await expect(perform("claim", again({ offeredHandles: null }), calm)).rejects.toMatchObject({
      code: "claim-lost",
      retry: "never",
    });
  });

  it("is asked once more while the coordinator is away", async () => {
    refusal = new NodeError("icl-unreachable", "away", { retry: "later", hint: "" });
    await expect(perform("claim", again({ offeredHandles }), calm)).rejects.toMatchObject({ retry: "later" });
  });
});

describe("the answer", () => {
  it("is sealed in the same transaction as the state that says so", async () => {
    const { event, alongside } = await perform("execute", job("leader", { state: "claimed" }), calm);
    expect(event).toMatchObject({ type: "executed", answerDigest: DIGEST });
    expect(happened).toEqual([]);
    alongside?.();
    expect(happened).toEqual(["sealed 3"]);
  });

  it("that is called off is not held against any service", async () => {
    const off = new AbortController();
    off.abort(new Error("over"));
    await expect(perform("pin", job("leader"), off.signal)).rejects.toMatchObject({ code: "pin-refused" });
    expect(failures).toEqual([]);
    await expect(perform("pin", job("leader"), calm)).rejects.toMatchObject({ code: "pin-refused" });
    expect(failures).toEqual(["pin-refused"]);
  });
});

describe("committing", () => {
  it("goes through the guard, which has the last word", async () => {
    guardSays = refuse("this node already committed to something else");
    await expect(perform("commit", job("leader"), calm)).rejects.toMatchObject({
      code: "guard-refused",
      retry: "never",
    });
    expect(happened).toEqual([`guard ${ours}`]);
  });

  it.each([
    ["the same, however it is spelled", `0x${ours.toUpperCase()}`, "CONFIRM"],
    ["another", "cd".repeat(32), "REJECT"],
    ["absent", null, "CONFIRM"],
  ])("a verifier's verdict where the leader's commitment is %s", async (_what, leaderCommitment, verdict) => {
    const { event } = await perform("commit", job("verifier", { leaderCommitment }), calm);
    expect(event).toEqual({ type: "committed", commitment: ours, verdict });
  });
});

describe("submitting", () => {
  it("sends a verifier's own hash, also with a REJECT", async () => {
    const verdict = job("verifier", { commitment: ours, verdict: "REJECT", leaderCommitment: "cd".repeat(32) });
    await perform("submit", verdict, calm);
    expect(happened).toEqual([`verdict REJECT ${ours} 100`]);
  });

  it("says that it is not sure where there was nothing to compare with", async () => {
    await perform("submit", job("verifier", { commitment: ours, verdict: "CONFIRM" }), calm);
    expect(happened).toEqual([`verdict CONFIRM ${ours} 0`]);
  });

  it("that is refused because the job is over settles it", async () => {
    refusal = new NodeError("icl-refused", "over", { retry: "never", hint: "" });
    status = { ...QUEUED, status: "ACCEPTED" };
    const result = await perform("submit", job("verifier", { commitment: ours, verdict: "CONFIRM" }), calm);
    expect(result.event).toEqual({ type: "finalized", outcome: "accepted" });
  });

  it("that is refused for another reason fails it", async () => {
    refusal = new NodeError("icl-refused", "no", { retry: "never", hint: "look" });
    const submitted = perform("submit", job("verifier", { commitment: ours, verdict: "CONFIRM" }), calm);
    await expect(submitted).rejects.toMatchObject({ code: "submission-refused", retry: "never", hint: "look" });
  });

  it("that is refused while the chain lacks the output key is sent again, and else is over", async () => {
    refusal = new NodeError("icl-refused", "no such transaction", { retry: "never", hint: "look" });
    const key = { commitment: ours, encryptedKey: { high: INPUT, low: INPUT }, grantTx: "0x01" } as const;
    keyStands = false;
    const dropped = perform("submit", job("leader", { state: "granted", ...key }), calm);
    await expect(dropped).rejects.toMatchObject({ code: "transaction-refused", retry: "later" });
    keyStands = true;
    const refused = perform("submit", job("leader", { state: "granted", ...key }), calm);
    await expect(refused).rejects.toMatchObject({ code: "submission-refused", retry: "never" });
  });

  it("whose answer was lost is looked for on record: a leader's own hash there means that it arrived", async () => {
    refusal = new NodeError("icl-unreachable", "cut", { retry: "later", admitted: "unknown", hint: "" });
    const fields = { state: "granted", commitment: ours, encryptedKey: { high: INPUT, low: INPUT } } as const;
    status = { ...QUEUED, outputCid: CID, leaderCommitment: `0x${ours.toUpperCase()}` };
    expect((await perform("submit", job("leader", fields), calm)).event).toEqual({ type: "submitted" });
    status = { ...QUEUED, outputCid: CID, leaderCommitment: "cd".repeat(32) };
    await expect(perform("submit", job("leader", fields), calm)).rejects.toMatchObject({ code: "icl-unreachable" });
  });

  it("is never done without a commitment", async () => {
    await expect(perform("submit", job("verifier"), calm)).rejects.toMatchObject({ code: "internal" });
    expect(happened).toEqual([]);
  });
});

describe("finding the leader", () => {
  it("waits for a commitment beside the CID, and after six looks goes on without", async () => {
    status = { ...QUEUED, outputCid: CID };
    const early = job("verifier", { outputCid: null });
    const late = { ...early, work: { "find-leader": { attempts: 0, waits: 6, notBeforeMs: 0 } } };
    expect((await perform("find-leader", early, calm)).event).toEqual({ type: "wait", effect: "find-leader" });
    expect((await perform("find-leader", late, calm)).event).toMatchObject({ type: "leader-found", outputCid: CID });
  });

  it("notices that the job is over", async () => {
    status = { ...QUEUED, status: "TIMED_OUT" };
    const { event } = await perform("find-leader", job("verifier", { outputCid: null }), calm);
    expect(event).toEqual({ type: "finalized", outcome: "timedout" });
  });
});
