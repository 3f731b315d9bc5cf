/**
 * The jobs of a canary run: one that succeeds for each backend, one that ends badly for each state and effect that can,
 * and some whose effects fail for a while and succeed then. Each is a row: what misbehaves, and what the node makes of it.
 */

import type { EffectKind, JobState } from "../../core/jobs/job.ts";
import type { Fault } from "../../devnet/faults.ts";
import type { ContentFault } from "../../devnet/ipfs/content-faults.ts";

export const BACKENDS = {
  groq: "groq:llama-3.3-70b-versatile",
  gemini: "gemini:gemini-2.5-flash",
  openai: "facebook/opt-125m",
  mock: "mock:demo",
} as const;
export type BackendKind = keyof typeof BACKENDS;

export type Service = "icl" | "ipfs" | "rpc" | "groq" | "gemini" | "openai";

export interface CanaryJob {
  /** What misbehaves. */
  name: string;
  backend: BackendKind;
  /** Armed once the job is requested and before any node may claim it: their texts may name the job and its leader. */
  faults: readonly { service: Service; fault: Fault | ContentFault }[];
  /** The nodes are told that another deployment of theirs committed to something else. */
  committedElsewhere?: boolean;
}

/** A job that fails for good at some node. */
export interface FailingJob extends CanaryJob {
  effect: EffectKind;
  state: JobState;
  code: string;
}

/** A job whose quorum says no: no node failed. */
export interface LosingJob extends CanaryJob {
  outcome: "rejected";
}

/** An effect fails for a while, and the job is accepted after it. */
export interface PassingJob extends CanaryJob {
  effect: EffectKind;
  code: string;
}

/** What a fault's texts may say for: the job's prompt, its id, and its leader's address. */
export const ECHO = "{prompt}";
export const JOB_ID = "{jobId}";
export const LEADER = "{leader}";

/** Effects that end no job within a run, and why. Each fails for a while in one. */
export const NEVER_FINAL: Partial<Record<EffectKind, string>> = {
  "encrypt-key": "CoFHE that does not encrypt is asked again until the job's deadline, minutes away.",
  "find-leader": "A leader that is not there yet is waited for until the job's deadline, minutes away.",
  follow: "A submitted job is settled as unknown when its verdict stays out; it does not fail.",
};
/** States in which no job fails: the coordinator has the node's word, or it is over. */
export const PAST_FAILING: readonly JobState[] = ["submitted", "settled", "failed"];

const MANY = 1_000;
const always = (service: Service, fault: Fault) => ({ service, fault: { count: MANY, ...fault } });
const rpcError = (code: number, message: string) => ({ jsonrpc: "2.0", id: 1, error: { code, message } });
const groqSays = (content: string): { service: "groq"; fault: Fault } => ({
  service: "groq",
  fault: { path: "completions$", mode: "json", body: { choices: [{ message: { content } }] } },
});

/** Rounds, one after another; the jobs of a round run at once, so their faults must not meet each other's jobs. */
export const FAILING: readonly (readonly (FailingJob | LosingJob)[])[] = [
  [
    {
      name: "the coordinator refuses the claim",
      backend: "mock",
      faults: [always("icl", { path: "/task/claim$", mode: "status", status: 400 })],
      effect: "claim",
      state: "offered",
      code: "claim-refused",
    },
  ],
  [
    {
      name: "the model refuses the key and repeats the prompt",
      backend: "groq",
      faults: [always("groq", { path: "completions$", mode: "json", status: 401, body: { error: { message: ECHO } } })],
      effect: "execute",
      state: "claimed",
      code: "model-key",
    },
    {
      name: "the model gives no answer and repeats the prompt",
      backend: "gemini",
      faults: [
        always("gemini", {
          path: "generateContent$",
          mode: "json",
          body: { promptFeedback: { blockReason: "SAFETY", blockReasonMessage: ECHO } },
        }),
      ],
      effect: "execute",
      state: "claimed",
      code: "model-refused",
    },
    {
      name: "the model is unknown and the server repeats the prompt",
      backend: "openai",
      faults: [
        always("openai", { path: "completions$", mode: "json", status: 404, body: { error: { message: ECHO } } }),
      ],
      effect: "execute",
      state: "claimed",
      code: "model",
    },
    {
      name: "the pinning service refuses",
      backend: "mock",
      faults: [always("ipfs", { path: "^/pinning/", mode: "status", status: 400 })],
      effect: "pin",
      state: "answered",
      code: "pin-refused",
    },
  ],
  [
    {
      name: "the chain refuses the output key",
      backend: "gemini",
      faults: [always("rpc", { path: "^/eth_estimateGas/", mode: "json", body: rpcError(3, "execution reverted") })],
      effect: "grant",
      state: "published",
      code: "transaction-reverted",
    },
  ],
  [
    {
      name: "the coordinator refuses the result",
      backend: "mock",
      faults: [always("icl", { path: "/task/result$", from: LEADER, mode: "status", status: 400 })],
      effect: "submit",
      state: "granted",
      code: "submission-refused",
    },
    {
      // Its leader is another one: everyone leads in turn.
      name: "the coordinator refuses the verdict",
      backend: "mock",
      faults: [always("icl", { path: "/task/verify$", mode: "status", status: 400 })],
      effect: "submit",
      state: "matched",
      code: "submission-refused",
    },
  ],
  [
    {
      name: "another deployment committed to something else",
      backend: "gemini",
      faults: [],
      committedElsewhere: true,
      effect: "commit",
      state: "answered",
      code: "guard-refused",
    },
    {
      name: "the model tells each node something else",
      backend: "groq",
      faults: ["one", "another", "a third"].map((word) => groqSays(`${word} ${ECHO}`)),
      outcome: "rejected",
    },
  ],
];

/** Ends whatever waits for a leader or a verdict that will not come. */
export const OVER = {
  path: "/internal/jobs/",
  mode: "json",
  body: { jobId: "", status: "TIMEDOUT", outputCid: null, leaderCommitment: null, failureReason: null },
  count: MANY,
} as const satisfies Fault;

/** All at once: their faults may meet each other's jobs, which come through all the same. */
export const PASSING: readonly PassingJob[] = [
  {
    name: "the claim's answer is cut off",
    backend: "mock",
    faults: [{ service: "icl", fault: { path: "/task/claim$", mode: "half", count: 1 } }],
    effect: "claim",
    code: "icl-unreachable",
  },
  {
    name: "the coordinator refuses to tell verifiers a job's status",
    backend: "mock",
    // Verifiers ask at once, the leader when it has submitted.
    faults: [{ service: "icl", fault: { path: `/internal/jobs/${JOB_ID}`, mode: "status", status: 400, count: 3 } }],
    effect: "find-leader",
    code: "icl-refused",
  },
  {
    name: "the coordinator refuses to tell the leader a job's status",
    backend: "mock",
    faults: [
      {
        service: "icl",
        fault: { path: `/internal/jobs/${JOB_ID}`, from: LEADER, mode: "status", status: 400, count: 2 },
      },
    ],
    effect: "follow",
    code: "icl-refused",
  },
  {
    name: "the gateway sends another file",
    backend: "mock",
    faults: [{ service: "ipfs", fault: { route: "gateway", mode: "lie", count: 4 } }],
    effect: "execute",
    code: "ipfs-mismatch",
  },
  {
    name: "CoFHE does not decrypt",
    backend: "mock",
    faults: [
      {
        service: "rpc",
        // More than lies of the gateway, which hide it: an execution tells what failed first.
        fault: { path: "^/eth_call/0x0+5002$", mode: "json", body: rpcError(-32000, "no"), count: 16 },
      },
    ],
    effect: "execute",
    code: "cofhe-unavailable",
  },
  {
    name: "CoFHE does not encrypt",
    backend: "mock",
    faults: [
      {
        service: "rpc",
        fault: { path: "^/eth_call/0x0+5001$", mode: "json", body: rpcError(-32000, "no"), count: 1 },
      },
    ],
    effect: "encrypt-key",
    code: "cofhe-unavailable",
  },
  {
    name: "the model answers with a web page",
    backend: "groq",
    faults: [{ service: "groq", fault: { path: "completions$", mode: "garbage", count: 2 } }],
    effect: "execute",
    code: "model-unavailable",
  },
  {
    name: "the model's answer is cut off",
    backend: "gemini",
    faults: [{ service: "gemini", fault: { path: "generateContent$", mode: "half", count: 2 } }],
    effect: "execute",
    code: "model-unavailable",
  },
  {
    name: "the pinning service lies about what it pinned",
    backend: "openai",
    faults: [
      { service: "ipfs", fault: { route: "pin", mode: "lie", count: 1 } },
      // Meanwhile the wrapped output key and the sealed answer lie in the node's storage.
      { service: "ipfs", fault: { path: "^/pinning/", mode: "delay", delayMs: 3_000, count: 3 } },
    ],
    effect: "pin",
    code: "pin-unavailable",
  },
];
