/**
 * Every schema of the coordinator's wire through the client, over a server that answers anything: what the schema promises
 * or an `icl-*` error, and what was read is what stood in the answer.
 */
import fc from "fast-check";
import { createIclClient, type IclClient } from "../../../core/icl/client.ts";
import { parseLossless } from "../../../core/icl/json.ts";
import { lastHeartbeatSec } from "../../../core/node/second-copy.ts";
import { mutatedJson } from "../mutate.ts";
import { came, must, property } from "../property.ts";
import { type Behaviour, behaviourWith, passingClock, serverOf } from "../server.ts";

const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const HASH = "ab".repeat(32);
const HANDLE = "8".repeat(77);
const CODES = ["icl-unreachable", "icl-unknown-node", "icl-refused", "icl-rate-limited", "icl-malformed"];
const UINT256_END = 2n ** 256n;

const OFFER = {
  jobId: "job-1",
  role: "leader",
  modelId: "mock:demo",
  promptCid: "bafkreif5r4yzqfj75h4gvrvdbaxh24iio2ab25jykfmdekhqyluhkjc64i",
  deadline: 1_800_000_600,
  insuranceOptIn: false,
  userAddress: NODE,
  kpHighHandle: HANDLE,
  kpLowHandle: "0x7f",
};
const STATUS = { jobId: "job-1", status: "queued", outputCid: null, leaderCommitment: "None", failureReason: "" };
const SUBMITTED = { status: "committed", job_id: "job-1", finalized: true };
const METRICS = { tasks_completed: 3, last_heartbeat: 1_800_000_000.5 };
const RECORD = { operator_address: NODE, active: true, metrics: METRICS };

const handle = (value: bigint) => must(value >= 0n && value < UINT256_END, "a handle is a uint256");
const seconds = (value: number) =>
  must(Number.isInteger(value) && value >= 0 && value <= 1e11, "a time is unix seconds");

/** The members of an answer of one object; null where it is something else. */
function membersOf(text: string): Record<string, unknown> | null {
  const value = parseLossless(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}

/** A time in the answer is a number or its digits; anything else may not become one. */
function named(given: unknown): number | undefined {
  if (typeof given === "number") return given;
  return typeof given === "string" && /^\d+$/.test(given) ? Number(given) : undefined;
}

/** One call, a valid answer, and what must hold of anything that comes back. `text` is the answer's, where it was whole. */
interface Exchange {
  samples: readonly unknown[];
  run(icl: IclClient): Promise<(text: string | null) => void>;
}

const nothing = () => () => undefined;

const EXCHANGES: Record<string, Exchange> = {
  challenge: {
    samples: [{ challengeId: "c-1", nonce: `0x${HASH}`, expiresAt: 1_800_000_100 }],
    async run(icl) {
      const { challengeId, nonce } = await icl.challenge();
      must(challengeId !== "" && /^(0x)?([0-9a-fA-F]{2})+$/.test(nonce), "a challenge has an id and a nonce in hex");
      return nothing();
    },
  },
  attestation: {
    samples: [{ certHash: `0x${HASH}`, expiry: 1_800_086_400, tier: 0 }],
    async run(icl) {
      const evidence = { backendType: "mock", quote: "aa", runtimeHash: "bb", challengeId: "c-1" } as const;
      const { certHash, expiry, tier } = await icl.verifyAttestation(evidence);
      must(/^0x([0-9a-fA-F]{2}){1,32}$/.test(certHash) && [0, 1, 2].includes(tier), "a certificate is well formed");
      seconds(expiry);
      return (text) => must(text === null || named(membersOf(text)?.expiry) === expiry, "the expiry is the answer's");
    },
  },
  heartbeat: { samples: [{ status: "ok" }], run: (icl) => icl.heartbeat().then(nothing) },
  health: { samples: [{ status: "ok" }], run: (icl) => icl.health().then(nothing) },
  assignments: {
    samples: [{ assignments: [OFFER, { ...OFFER, jobId: "job-2", kpHighHandle: 0, kpLowHandle: null }] }],
    async run(icl) {
      const { assignments, rejected } = await icl.assignments();
      for (const offer of assignments) {
        must(/^[^\p{Cc}\p{Cs}]+$/u.test(`${offer.jobId}${offer.modelId}`), "ids can stand in a URL");
        must(/^0x[0-9a-fA-F]{40}$/.test(offer.userAddress), "the user has an address");
        handle(offer.kpHighHandle);
        seconds(offer.deadline);
      }
      for (const { reason } of rejected) must(!reason.includes("SWALLOWED"), "a rejected row is not repeated");
      return (text) => {
        if (text === null) return;
        const rows = membersOf(text)?.assignments;
        must(Array.isArray(rows) && rows.length === assignments.length + rejected.length, "no row is lost");
        const deadlines = Array.isArray(rows)
          ? rows.map((row) => named((row as { deadline?: unknown } | null)?.deadline))
          : [];
        must(
          assignments.every(({ deadline }) => deadlines.includes(deadline)),
          "a deadline is the row's own",
        );
      };
    },
  },
  claim: {
    samples: [
      { kpHighHandle: 1, kpLowHandle: HANDLE, outputKeyGranted: true, claimDeadline: 1_800_000_300 },
      { kpHighHandle: null, kpLowHandle: "0x00" },
    ],
    async run(icl) {
      const { kpHighHandle, kpLowHandle, claimDeadline } = await icl.claim("job-1");
      handle(kpHighHandle);
      handle(kpLowHandle);
      if (claimDeadline !== undefined) seconds(claimDeadline);
      return (text) => {
        const given = text === null ? null : membersOf(text);
        if (given === null) return;
        must(named(given.claimDeadline) === claimDeadline, "a claim's deadline is the answer's, or none");
        for (const [field, value] of [
          ["kpHighHandle", kpHighHandle],
          ["kpLowHandle", kpLowHandle],
        ] as const) {
          const stood = given[field];
          const exact =
            typeof stood === "number" || typeof stood === "bigint" || typeof stood === "string" ? BigInt(stood) : 0n;
          must(exact === value, "a handle is the answer's to the last digit");
        }
      };
    },
  },
  result: {
    samples: [SUBMITTED],
    run: (icl) => icl.submitResult({ jobId: "j", output_cid: "c", commitment_hash: HASH }).then(nothing),
  },
  verdict: {
    samples: [SUBMITTED],
    run: (icl) =>
      icl
        .submitVerdict({ jobId: "j", verifier_address: NODE, commitment_hash: HASH, verdict: "CONFIRM", confidence: 1 })
        .then(nothing),
  },
  "job status": {
    samples: [STATUS, { ...STATUS, status: "ACCEPTED", outputCid: "bafk", leaderCommitment: HASH }],
    async run(icl) {
      const { status, outputCid, leaderCommitment } = await icl.jobStatus("job-1");
      must(status === status.toUpperCase(), "a status is in capitals");
      must(![outputCid, leaderCommitment].some((text) => text === "" || text === "None"), "absent is null");
      return nothing();
    },
  },
  "node record": {
    samples: [RECORD, { ...RECORD, metrics: { last_heartbeat: "2027-01-15T08:00:00Z" } }],
    async run(icl) {
      const heard = lastHeartbeatSec((await icl.nodeRecord())?.metrics);
      must(heard === null || Number.isSafeInteger(heard), "a heartbeat's time is whole seconds");
      return nothing();
    },
  },
};

/** The answer's text, where the first request got a complete 200 of JSON. */
function wholeText(behaviour: Behaviour | undefined): string | null {
  if (behaviour?.kind !== "answer" || behaviour.status !== 200) return null;
  return new TextDecoder().decode(behaviour.body);
}

async function exchange({ run }: Exchange, behaviours: readonly Behaviour[]): Promise<void> {
  const clock = passingClock();
  const { fetch } = serverOf(behaviours, clock);
  const signer = { address: NODE, signMessage: async (): Promise<`0x${string}`> => "0x00" } as const;
  const icl = createIclClient({ endpoint: "https://icl.test", signer, fetch, clock });
  const first = await came(CODES, () => run(icl));
  first.value?.(wholeText(behaviours[0]));
  if (first.error?.retryAfterMs !== undefined) must(first.error.retryAfterMs <= 3_600_000, "no wait is over an hour");
  // A Date header moves the time of later signatures: those must still be times.
  must(Number.isSafeInteger(icl.clockCorrectionMs()), "the clock's correction is a number of ms");
  await came(CODES, () => icl.heartbeat());
}

export const coordinator = Object.entries(EXCHANGES).map(([name, one]) =>
  property(
    `reads the answer to ${name} as its schema says, or says that it cannot`,
    2_400,
    fc.array(behaviourWith(mutatedJson(one.samples)), { minLength: 1, maxLength: 2 }),
    (behaviours) => exchange(one, behaviours),
  ),
);
