/**
 * The jobs of a canary run: one that succeeds for each backend, one that fails for good at each step that can, and some
 * whose steps fail for a while and succeed then. Each is a row: what misbehaves, and what the node makes of it.
 */

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
  /** The step that misbehaves. */
  name: string;
  backend: BackendKind;
  faults: readonly { service: Service; fault: Fault | ContentFault }[];
  /** The code of the failure; a job that fails only for a while is accepted after it. */
  code: string;
}

/** Said by every service that misbehaves with words: what it was sent. */
export const ECHO = "{prompt}";

const MANY = 1_000;
const always = (service: Service, fault: Fault) => ({ service, fault: { count: MANY, ...fault } });
const rpcError = (code: number, message: string) => ({ jsonrpc: "2.0", id: 1, error: { code, message } });

/** Rounds, one after another; the jobs of a round run at once, so their faults must not meet each other's jobs. */
export const FAILING: readonly (readonly CanaryJob[])[] = [
  [
    {
      name: "the coordinator refuses the claim",
      backend: "mock",
      faults: [always("icl", { path: "/task/claim$", mode: "status", status: 400 })],
      code: "claim-refused",
    },
  ],
  [
    {
      name: "the model refuses the key and repeats the prompt",
      backend: "groq",
      faults: [always("groq", { path: "completions$", mode: "json", status: 401, body: { error: { message: ECHO } } })],
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
      code: "model-refused",
    },
    {
      name: "the model is unknown and the server repeats the prompt",
      backend: "openai",
      faults: [
        always("openai", { path: "completions$", mode: "json", status: 404, body: { error: { message: ECHO } } }),
      ],
      code: "model",
    },
    {
      name: "the pinning service refuses",
      backend: "mock",
      faults: [always("ipfs", { path: "^/pinning/", mode: "status", status: 400 })],
      code: "pin-refused",
    },
  ],
  [
    {
      name: "the chain refuses the output key",
      backend: "gemini",
      faults: [always("rpc", { path: "^/eth_estimateGas/", mode: "json", body: rpcError(3, "execution reverted") })],
      code: "transaction-reverted",
    },
  ],
  [
    {
      name: "the coordinator refuses result and verdict",
      backend: "mock",
      faults: [always("icl", { path: "/task/(result|verify)$", mode: "status", status: 400 })],
      code: "submission-refused",
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
export const PASSING: readonly CanaryJob[] = [
  {
    name: "the claim's answer is cut off",
    backend: "mock",
    faults: [{ service: "icl", fault: { path: "/task/claim$", mode: "half", count: 1 } }],
    code: "icl-unreachable",
  },
  {
    name: "the coordinator refuses to tell a job's status",
    backend: "mock",
    faults: [{ service: "icl", fault: { path: "/internal/jobs/", mode: "status", status: 400, count: 3 } }],
    code: "icl-refused",
  },
  {
    name: "the gateway sends another file",
    backend: "mock",
    faults: [{ service: "ipfs", fault: { route: "gateway", mode: "lie", count: 4 } }],
    code: "ipfs-mismatch",
  },
  {
    name: "CoFHE does not decrypt",
    backend: "mock",
    faults: [
      {
        service: "rpc",
        fault: { path: "^/eth_call/0x0+5002$", mode: "json", body: rpcError(-32000, "no"), count: 2 },
      },
    ],
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
    code: "cofhe-unavailable",
  },
  {
    name: "the model answers with a web page",
    backend: "groq",
    faults: [{ service: "groq", fault: { path: "completions$", mode: "garbage", count: 2 } }],
    code: "model-unavailable",
  },
  {
    name: "the model's answer is cut off",
    backend: "gemini",
    faults: [{ service: "gemini", fault: { path: "generateContent$", mode: "half", count: 2 } }],
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
    code: "pin-unavailable",
  },
];
