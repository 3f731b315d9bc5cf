import { verifyMessage } from "viem";
import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { systemClock } from "../ports.ts";
import { type Answer, scriptedFetch } from "../scripted-fetch.ts";
import { Secret } from "../secret.ts";
import { localSigner } from "../signer.ts";
import { createIclClient, type IclClient } from "./client.ts";
import type { LeaderResult, VerifierVerdict } from "./schema.ts";

const signer = localSigner(new Secret(`0x${"11".repeat(32)}`));
const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 600);
const NOW_SEC = Math.floor(NOW_MS / 1000);
const JOB = `0x${"ab".repeat(32)}`;
const HASH = "c".repeat(64);
const BIG = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

function talk(...script: (Answer | Error)[]) {
  const { fetch, received } = scriptedFetch(...script);
  const clock = { ...systemClock, now: () => NOW_MS };
  return { icl: createIclClient({ endpoint: "https://icl.example/base/", signer, fetch, clock }), received };
}

async function failureOf(work: Promise<unknown>): Promise<NodeError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (error instanceof NodeError) return error;
  throw new Error("no NodeError was thrown", { cause: error });
}

const EVIDENCE = { backendType: "mock", quote: "aa", runtimeHash: "bb", challengeId: "c1" } as const;
const INPUT = { ctHash: BIG, securityZone: 0, utype: 6, signature: "0x12" };
const RESULT: LeaderResult = {
  output_key_store_job_id: "0x02",
  output_key_store_tx: "0x01",
  encrypted_output_key_inputs: {
    low: { ...INPUT, securityZone: 1 },
    high: { ...INPUT, plain: "never" } as typeof INPUT,
  },
  encrypted_output_key_low: "8",
  encrypted_output_key_high: "7",
  commitment_hash: HASH,
  output_cid: "bafkrei",
  jobId: JOB,
};
const VERDICT: VerifierVerdict = {
  confidence: 100,
  verdict: "REJECT",
  commitment_hash: HASH,
  verifier_address: NODE,
  jobId: JOB,
};

/** Every call: how to make it, a sound answer, and what it must send. */
const CALLS: [string, (icl: IclClient) => Promise<unknown>, unknown, string, string][] = [
  [
    "challenge",
    (icl) => icl.challenge(),
    { challengeId: "c1", nonce: `0x${"0a".repeat(32)}` },
    `GET /internal/challenge/${NODE}`,
    "",
  ],
  [
    "verifyAttestation",
    (icl) => icl.verifyAttestation(EVIDENCE),
    { certHash: `0x${"1".repeat(32)}`, expiry: NOW_SEC + 86_400, tier: 0 },
    "POST /internal/attestation/verify",
    `{"nodeAddress":"${NODE}","backendType":"mock","quote":"aa","runtimeHash":"bb","challengeId":"c1"}`,
  ],
  [
    "heartbeat",
    (icl) => icl.heartbeat(),
    { status: "ok" },
    "POST /internal/heartbeat",
    `{"nodeAddress":"${NODE}","timestamp":"${NOW_SEC}"}`,
  ],
  ["assignments", (icl) => icl.assignments(), { assignments: [] }, `GET /internal/assignments/${NODE}`, ""],
  [
    "claim",
    (icl) => icl.claim(JOB),
    { kpHighHandle: 0, kpLowHandle: 0 },
    "POST /internal/task/claim",
    `{"jobId":"${JOB}","nodeAddress":"${NODE}"}`,
  ],
  [
    "submitResult",
    (icl) => icl.submitResult(RESULT),
    { status: "committed", finalized: true },
    "POST /internal/task/result",
    `{"jobId":"${JOB}","output_cid":"bafkrei","commitment_hash":"${HASH}","encrypted_output_key_high":"7",` +
      `"encrypted_output_key_low":"8","encrypted_output_key_inputs":{` +
      `"high":{"ctHash":"${BIG}","securityZone":0,"utype":6,"signature":"0x12"},` +
      `"low":{"ctHash":"${BIG}","securityZone":1,"utype":6,"signature":"0x12"}},` +
      `"output_key_store_tx":"0x01","output_key_store_job_id":"0x02"}`,
  ],
  [
    "submitVerdict",
    (icl) => icl.submitVerdict(VERDICT),
    { status: "already_recorded" },
    "POST /internal/task/verify",
    `{"jobId":"${JOB}","verifier_address":"${NODE}","commitment_hash":"${HASH}","verdict":"REJECT","confidence":100}`,
  ],
  ["jobStatus", (icl) => icl.jobStatus(JOB), { status: "queued" }, `GET /internal/jobs/${JOB}/status`, ""],
  ["nodeRecord", (icl) => icl.nodeRecord(), { active: true }, `GET /v1/nodes/${NODE}`, ""],
  ["health", (icl) => icl.health(), { status: "ok" }, "GET /health", ""],
];

describe("a call to the coordinator", () => {
  it.each(CALLS)("%s sends the wire's body and signs exactly that", async (_name, call, reply, line, body) => {
    const { icl, received } = talk({ json: reply });
    await call(icl);
    const [request, ...more] = received;
    if (request === undefined) throw new Error("nothing was sent");
    expect(more).toEqual([]);
    expect(`${request.method} ${request.url.replace("https://icl.example/base", "")}`).toBe(line);
    expect(request.body).toBe(body);
    const { headers } = request;
    expect([headers["x-node-address"], headers["x-timestamp"], headers["content-type"]]).toEqual([
      NODE,
      String(NOW_SEC),
      "application/json",
    ]);
    const message = `${request.body}${NOW_SEC}`;
    const signature = headers["x-signature"] as `0x${string}`;
    expect(await verifyMessage({ address: NODE, message, signature })).toBe(true);
  });

  it("leaves optional fields out instead of sending null", async () => {
    const { icl, received } = talk({ json: { status: "ok" } });
    await icl.submitResult({ jobId: "j", output_cid: "c", commitment_hash: HASH });
    expect(received[0]?.body).toBe(`{"jobId":"j","output_cid":"c","commitment_hash":"${HASH}"}`);
  });

  it("names the models it serves, none included, when it is given any list", async () => {
    const certificate = { json: { certHash: "0x11", expiry: 1, tier: 0 } };
    const { icl, received } = talk(certificate, certificate);
    await icl.verifyAttestation({ ...EVIDENCE, supportedModelIds: ["groq:a", "b"] });
    await icl.verifyAttestation({ ...EVIDENCE, supportedModelIds: [] });
    expect(received.map(({ body }) => body.replace(/^.*"c1",/, ""))).toEqual([
      '"supportedModelIds":["groq:a","b"]}',
      '"supportedModelIds":[]}',
    ]);
  });

  it.each([`0x${HASH}`, HASH.toUpperCase(), HASH.slice(1), ""])(
    "never sends the commitment %j, which no quorum would match",
    async (commitment_hash) => {
      const { icl, received } = talk();
      expect((await failureOf(icl.submitResult({ ...RESULT, commitment_hash }))).code).toBe("internal");
      expect((await failureOf(icl.submitVerdict({ ...VERDICT, commitment_hash }))).code).toBe("internal");
      expect(received).toEqual([]);
    },
  );

  it.each([-1, 101, 99.5, Number.NaN])("never sends the confidence %d", async (confidence) => {
    const { icl, received } = talk();
    expect((await failureOf(icl.submitVerdict({ ...VERDICT, confidence }))).code).toBe("internal");
    expect(received).toEqual([]);
  });

  it.each([
    ["a/b?c#d", "a%2Fb%3Fc%23d"],
    ["é %", "%C3%A9%20%25"],
    ["AbC", "AbC"],
  ])("keeps the opaque job id %j in one path segment", async (jobId, segment) => {
    const { icl, received } = talk({ json: { status: "pending" } });
    await icl.jobStatus(jobId);
    expect(received[0]?.url).toBe(`https://icl.example/base/internal/jobs/${segment}/status`);
  });

  it.each([".", "..", "", "\ud800"])("asks nothing about the job id %j, which no URL can hold", async (jobId) => {
    const { icl, received } = talk();
    expect(await failureOf(icl.jobStatus(jobId))).toMatchObject({ code: "icl-malformed", retry: "never" });
    expect(received).toEqual([]);
  });
});

describe("an answer of the coordinator", () => {
  it("says of a claim that it leaves when it is signed, and not where it cannot be", async () => {
    const { fetch, received } = scriptedFetch({ json: { kpHighHandle: 1, kpLowHandle: 2 } });
    const unsigned = { ...signer, signRequest: () => Promise.reject(new Error("no signature")) };
    const options = { endpoint: "https://icl.example", fetch, clock: systemClock };
    let left = 0;
    const leaving = () => {
      left += 1;
      expect(received).toEqual([]);
    };
    await expect(createIclClient({ ...options, signer: unsigned }).claim(JOB, leaving)).rejects.toThrow("no signature");
    expect(left).toBe(0);
    await createIclClient({ ...options, signer }).claim(JOB, leaving);
    expect(left).toBe(1);
  });

  it("keeps every digit of a claim's bare handles", async () => {
    const { icl } = talk({
      text: `{"kpHighHandle": ${BIG}, "kpLowHandle": 12345678901234567891, "outputKeyGranted": true}`,
    });
    expect(await icl.claim(JOB)).toEqual({
      kpHighHandle: BigInt(BIG),
      kpLowHandle: 12345678901234567891n,
      outputKeyGranted: true,
    });
  });

  it("hides no assignment behind one that cannot be used, and says why without repeating it", async () => {
    const sound = {
      jobId: JOB,
      role: "leader",
      modelId: "mock:demo",
      promptCid: "bafkrei",
      deadline: NOW_SEC + 600,
      userAddress: NODE,
      kpHighHandle: "7",
      kpLowHandle: null,
    };
    const rows = [
      { ...sound, jobId: "bad-role", role: "<script>" },
      sound,
      { ...sound, jobId: "<b>", promptCid: 5, modelId: "" },
      null,
      "row",
      { ...sound, jobId: "second", role: "verifier", kpHighHandle: `0x${"f".repeat(64)}` },
    ];
    const { icl } = talk({ json: { assignments: rows } });
    const { assignments, rejected } = await icl.assignments();
    expect(assignments.map(({ jobId, kpHighHandle }) => [jobId, kpHighHandle])).toEqual([
      [JOB, 7n],
      ["second", BigInt(BIG)],
    ]);
    expect(rejected.map(({ reason }) => reason)).toEqual([
      "job bad-role: role",
      "a job without a usable id: modelId, promptCid",
      "a job without a usable id: its type",
      "a job without a usable id: its type",
    ]);
  });

  it("names no deadline where a claim's is null, and a row without a deadline is none of 1970", async () => {
    const offer = { jobId: "j", role: "leader", modelId: "m", promptCid: "c", deadline: null, userAddress: NODE };
    const claim = { kpHighHandle: 1, kpLowHandle: 2, claimDeadline: null };
    const { icl } = talk({ json: claim }, { json: { assignments: [offer] } });
    expect((await icl.claim(JOB)).claimDeadline).toBeUndefined();
    expect((await icl.assignments()).rejected).toEqual([{ reason: "job j: deadline" }]);
  });

  it("may leave a field out by null, as Python prints its None", async () => {
    const offer = {
      jobId: "j",
      role: "leader",
      modelId: "m",
      promptCid: "c",
      deadline: NOW_SEC,
      userAddress: NODE,
      insuranceOptIn: null,
    };
    const { icl } = talk(
      { json: { challengeId: "c", nonce: "ab", expiresAt: null } },
      { json: { assignments: [offer, { ...offer, insuranceOptIn: true }, { ...offer, insuranceOptIn: undefined }] } },
      { json: { kpHighHandle: 1, kpLowHandle: 2, outputKeyGranted: null } },
      { json: { status: "committed", finalized: null } },
      { json: { jobId: null, status: "queued", outputCid: null, leaderCommitment: null, failureReason: null } },
      { json: { operator_address: null, active: null, metrics: null } },
    );
    const of = (value: object) => Object.entries(value).filter(([, given]) => given !== undefined);
    expect(of(await icl.challenge()).length).toBe(2);
    expect((await icl.assignments()).assignments.map((row) => row.insuranceOptIn)).toEqual([false, true, false]);
    expect(of(await icl.claim(JOB)).length).toBe(2);
    expect(of(await icl.submitResult(RESULT))).toEqual([["status", "committed"]]);
    expect((await icl.jobStatus(JOB)).jobId).toBeUndefined();
    expect(of((await icl.nodeRecord()) ?? { none: true })).toEqual([]);
  });

  it("has no null where something has to be, nor anything else where a yes or no may be", async () => {
    const wrong = [{ status: null }, { status: "committed", finalized: "no" }, { status: "committed", finalized: 0 }];
    for (const json of wrong) {
      const { icl } = talk({ json });
      expect((await failureOf(icl.submitResult(RESULT))).code).toBe("icl-malformed");
    }
  });

  it("is an offer also without handles, which the claim brings", async () => {
    const offer = { jobId: "j", role: "leader", modelId: "m", promptCid: "c", deadline: NOW_SEC, userAddress: NODE };
    const { icl } = talk({ json: { assignments: [offer] } });
    const { assignments, rejected } = await icl.assignments();
    expect(rejected).toEqual([]);
    expect(assignments).toMatchObject([{ kpHighHandle: 0n, kpLowHandle: 0n }]);
  });

  it("is no node record when the coordinator does not know the node, in either way it says so", async () => {
    const { icl } = talk({ status: 404 }, { status: 401 }, { json: { active: false, operator_address: NODE } });
    expect(await icl.nodeRecord()).toBeNull();
    expect(await icl.nodeRecord()).toBeNull();
    expect(await icl.nodeRecord()).toEqual({ active: false, operator_address: NODE });
  });

  it.each([
    ["text that is not JSON", { text: "<html>secret</html>" }, "not JSON"],
    ["another shape", { json: { nonce: "zz" } }, "challengeId, nonce"],
    ["a list", { json: ["secret"] }, "its type"],
    ["too many bytes", { text: " ".repeat((1 << 20) + 1) }, "longer than"],
  ])("that is %s is malformed, worth asking again, and not repeated", async (_name, answer, message) => {
    const { icl } = talk(answer, answer);
    const failure = await failureOf(icl.challenge());
    expect(failure).toMatchObject({ code: "icl-malformed", retry: "later", admitted: "no" });
    expect(failure.message).toContain(message);
    expect(failure.message).not.toContain("secret");
    expect(await failureOf(icl.heartbeat())).toMatchObject({ code: "icl-malformed", admitted: "unknown" });
  });
});

describe("a refusal by the coordinator", () => {
  const REFUSALS: [number, string, string, string][] = [
    [301, "icl-unreachable", "later", "no"],
    [307, "icl-unreachable", "later", "no"],
    [400, "icl-refused", "never", "no"],
    [401, "icl-unknown-node", "later", "no"],
    [403, "icl-refused", "never", "no"],
    [404, "icl-unknown-node", "later", "no"],
    [408, "icl-unreachable", "later", "unknown"],
    [409, "icl-refused", "never", "no"],
    [410, "icl-refused", "never", "no"],
    [422, "icl-refused", "never", "no"],
    [425, "icl-unreachable", "later", "unknown"],
    [429, "icl-rate-limited", "later", "no"],
    [500, "icl-unreachable", "later", "unknown"],
    [503, "icl-unreachable", "later", "unknown"],
  ];

  it.each(REFUSALS)("%i of a submission is %s, %s, admitted %s", async (status, code, retry, admitted) => {
    const { icl } = talk({ status, text: "secret detail" }, { status, text: "secret detail" });
    for (const submit of [() => icl.submitVerdict(VERDICT), () => icl.submitResult(RESULT)]) {
      const failure = await failureOf(submit());
      expect(failure).toMatchObject({ code, retry, admitted });
      expect(failure.message).toContain(`the coordinator (icl.example) answered ${status}`);
      expect(`${failure.message}${failure.hint}`).not.toContain("secret");
    }
  });

  it.each(REFUSALS)(
    "%i of a question is %s, nothing can have happened, and it may be asked again",
    async (status, code) => {
      const { icl } = talk({ status }, { status });
      expect(await failureOf(icl.jobStatus(JOB))).toMatchObject({ code, retry: "later", admitted: "no" });
      expect(await failureOf(icl.assignments())).toMatchObject({ code, retry: "later", admitted: "no" });
    },
  );

  it("says how long to wait, in seconds or until a date", async () => {
    const until = "Fri, 02 Jan 2026 03:04:35 GMT";
    const { icl } = talk(
      { status: 429, headers: { "retry-after": "5" } },
      { status: 503, headers: { "retry-after": until } },
    );
    expect((await failureOf(icl.heartbeat())).retryAfterMs).toBe(5000);
    expect((await failureOf(icl.heartbeat())).retryAfterMs).toBe(29_400);
  });

  it.each([
    ["knows the node: the job is gone, and nothing is owed for it", { json: { active: true } }, "icl-refused", "never"],
    ["has the node as inactive", { json: { active: false } }, "icl-unknown-node", "later"],
    ["does not know the node either", { status: 404 }, "icl-unknown-node", "later"],
    ["cannot be asked", new TypeError("connection lost"), "icl-unknown-node", "later"],
  ])("404 of a claim, when it %s", async (_name, record, code, retry) => {
    const { icl, received } = talk({ status: 404 }, record);
    expect(await failureOf(icl.claim(JOB))).toMatchObject({ code, retry, admitted: "no" });
    expect(received.map(({ url }) => url.replace("https://icl.example/base", ""))).toEqual([
      "/internal/task/claim",
      `/v1/nodes/${NODE}`,
    ]);
  });

  it("of a claim's signature is no question about the job", async () => {
    const { icl, received } = talk({ status: 401 });
    expect((await failureOf(icl.claim(JOB))).code).toBe("icl-unknown-node");
    expect(received.length).toBe(1);
  });

  it("may come from a clock that is off, and then says so", async () => {
    const headers = { date: new Date(NOW_MS - 120_000).toUTCString() };
    const { icl } = talk({ status: 401, headers }, { status: 401 });
    expect((await failureOf(icl.heartbeat())).hint).toMatch(/clock is 120 s off/);
    expect((await failureOf(icl.heartbeat())).hint).toMatch(/clock is 120 s off/);
    expect((await failureOf(talk({ status: 401 }).icl.heartbeat())).hint).not.toMatch(/clock/);
  });
});

describe("a lost connection", () => {
  it.each(CALLS)("fails %s once, without another attempt", async (_name, call) => {
    const { icl, received } = talk(new TypeError("secret cause"), { json: {} });
    const failure = await failureOf(call(icl));
    expect(failure).toMatchObject({ code: "icl-unreachable", retry: "later" });
    expect(failure.admitted).toBe(received[0]?.method === "POST" ? "unknown" : "no");
    expect(failure.message).not.toContain("secret");
    expect(received.length).toBe(1);
  });

  it("is one that takes longer than the time-out", async () => {
    const hanging = () => new Promise<Response>(() => {});
    const icl = createIclClient({
      endpoint: "https://icl.example",
      signer,
      fetch: hanging,
      clock: systemClock,
      timeoutMs: 20,
    });
    const failure = await failureOf(icl.heartbeat());
    expect(failure).toMatchObject({ code: "icl-unreachable", admitted: "unknown" });
    expect(failure.message).toMatch(/no answer within 20 ms/);
  });
});

describe("the coordinator's clock", () => {
  it("is compared by the latest Date header, and unknown before one came", async () => {
    const at = (ms: number) => ({ json: { status: "ok" }, headers: { date: new Date(ms).toUTCString() } });
    const { icl } = talk({ json: { status: "ok" } }, at(NOW_MS + 90_000), { json: { status: "ok" } }, at(NOW_MS));
    const skews: (number | null)[] = [];
    for (let i = 0; i < 4; i++) {
      await icl.health();
      skews.push(icl.clockSkewMs());
    }
    // A Date header has whole seconds: 5.600 s is sent as 5 and read as 5.5.
    expect(skews).toEqual([null, 89_900, 89_900, -100]);
  });

  it.each([
    [29, 0],
    [600, 600],
    [-600, -600],
  ])("at %i s from ours moves the next signature's time by %i s", async (apartSec, movedSec) => {
    const date = new Date(NOW_MS + apartSec * 1000).toUTCString();
    const { icl, received } = talk({ json: { status: "ok" }, headers: { date } }, { json: { status: "ok" } });
    await icl.health();
    await icl.health();
    const [before, after] = received.map(({ headers }) => Number(new Headers(headers).get("x-timestamp")));
    // A Date header has whole seconds.
    expect(Math.abs((after ?? 0) - (before ?? 0) - movedSec)).toBeLessThanOrEqual(1);
  });
});
