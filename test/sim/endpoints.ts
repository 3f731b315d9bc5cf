/**
 * Every call that a node makes to a service outside: where it goes, for what, what its faults are called, and where the
 * outcome differs from the rule (fault-table.ts), each with its reason.
 */

import { type Endpoint, leader, verifier } from "./endpoint.ts";
import { CHAIN_BASICS, CHAIN_LOOKS, COFHE_CONTRACTS, HUGE, result, rpc } from "./endpoints-chain.ts";
import { MODEL_LISTS, PAYMENTS } from "./endpoints-services.ts";
import { ATTESTATION, COFHE, ICL, IPFS, MODEL, PIN } from "./fault-codes.ts";

const icl = { ...verifier, door: "icl", codes: ICL } as const;
const pickyText = { wrongTypes: { status: 1 }, absentFields: {}, outOfRange: { status: "x".repeat(600) } };

const COORDINATOR: Endpoint[] = [
  {
    ...icl,
    name: "ICL challenge",
    purpose: "a nonce to attest with",
    method: "GET",
    path: "^/internal/challenge/",
    duty: { name: "watchdog", from: "start", beforeJobSec: 120, always: "not claimed" },
    wrongTypes: { challengeId: 7, nonce: ["ab"] },
    absentFields: {},
    outOfRange: { challengeId: "c", nonce: `0x${"ab".repeat(65)}` },
  },
  {
    ...icl,
    name: "ICL attestation",
    purpose: "the certificate",
    method: "POST",
    path: "^/internal/attestation/verify$",
    codes: ATTESTATION,
    duty: { name: "watchdog", from: "start", beforeJobSec: 120, always: "not claimed" },
    wrongTypes: { certHash: 1, expiry: "soon", tier: "high" },
    absentFields: {},
    outOfRange: { certHash: "0xab", expiry: 1e15, tier: 3 },
    note: "The coordinator may know a node whose certificate never arrived, and offer it jobs; without one it claims nothing.",
  },
  {
    ...icl,
    name: "ICL heartbeat",
    purpose: "a sign of life each minute",
    method: "POST",
    path: "^/internal/heartbeat$",
    ...pickyText,
    duty: { name: "heartbeat", from: "live", beforeJobSec: 280, always: "not claimed" },
    note: "After 200 s without an answer the node takes no jobs, before the coordinator forgets it at 300 s.",
  },
  {
    ...icl,
    name: "ICL node record",
    purpose: "whether the coordinator still knows the node",
    method: "GET",
    path: "^/v1/nodes/",
    duty: {
      name: "known",
      from: "live",
      beforeJobSec: 160,
      always: "accepted",
      harmless: ["401", "404", "absent fields"],
    },
    wrongTypes: { active: "yes", metrics: [] },
    absentFields: {},
    outOfRange: { operator_address: "x".repeat(600) },
    note: "401 and 404 mean that the coordinator forgot the node: it attests again. No field has to be there.",
  },
  {
    ...icl,
    name: "ICL assignments",
    purpose: "offers, every five seconds",
    method: "GET",
    path: "^/internal/assignments/",
    duty: { name: "poll", from: "live", beforeJobSec: 0, always: "not claimed" },
    wrongTypes: { assignments: "none" },
    absentFields: {},
    outOfRange: { assignments: Array.from({ length: 10_001 }, () => 0) },
  },
  {
    ...icl,
    name: "ICL claim",
    purpose: "the job, and its key's handles",
    method: "POST",
    path: "^/internal/task/claim$",
    except: { both: { "400": "failed claim-refused", "404": "failed claim-refused" } },
    wrongTypes: { kpHighHandle: true, kpLowHandle: [] },
    absentFields: {},
    outOfRange: { kpHighHandle: "9".repeat(78), kpLowHandle: "1", claimDeadline: 1e15 },
    note: "400 is a certain no, and 404 from a coordinator that knows the node means that the job is gone: nothing is owed for it.",
  },
  {
    ...icl,
    ...leader,
    name: "ICL result",
    purpose: "to hand in the leader's result",
    method: "POST",
    path: "^/internal/task/result$",
    ...pickyText,
    except: { both: { "400": "failed submission-refused" }, always: { half: "accepted" } },
    note: "400 is a certain no. Where the answer is cut, the coordinator's record tells that the word arrived.",
  },
  {
    ...icl,
    name: "ICL verdict",
    purpose: "to hand in a verifier's verdict",
    method: "POST",
    path: "^/internal/task/verify$",
    ...pickyText,
    except: { both: { "400": "failed submission-refused" }, always: { half: "accepted" } },
    note: "400 is a certain no. Where the answer is cut, the coordinator's record tells that the word arrived.",
  },
  {
    ...icl,
    name: "ICL job status",
    purpose: "the leader's commitment, later the outcome",
    method: "GET",
    path: "^/internal/jobs/[^/]+/status$",
    wrongTypes: { status: 3, outputCid: 4 },
    absentFields: {},
    outOfRange: { status: "ACCEPTED".repeat(100), outputCid: null },
  },
];

const STORAGE: Endpoint[] = [
  {
    ...verifier,
    name: "IPFS gateway",
    purpose: "the sealed prompt",
    door: "ipfs",
    method: "GET",
    path: "^/ipfs/",
    codes: IPFS,
    wrongTypes: [1],
    absentFields: {},
    outOfRange: { bytes: 1e300 },
    note: "An answer that is longer than a prompt may be is the gateway's fault; that the prompt is, only its verified blocks can say.",
  },
  {
    ...leader,
    name: "Pinata pin",
    purpose: "to pin the sealed answer",
    door: "pin",
    method: "POST",
    path: "^/pinning/",
    codes: PIN,
    except: {
      both: { "400": "failed pin-refused", "401": "failed pin-refused", "404": "failed pin-refused" },
    },
    wrongTypes: { IpfsHash: 1 },
    absentFields: {},
    outOfRange: { IpfsHash: "b".repeat(5_000) },
    note: "4xx is a certain no: the token or the account is at fault, and the operator has to act.",
  },
];

/** The call that waits for the transaction gives up before the RPC client does, and has no error to show. */
const SILENT = { hang: "deadline" } as const;

const CHAIN: Endpoint[] = [
  {
    ...rpc,
    name: "RPC eth_getTransactionCount",
    purpose: "the nonce of the output key's transaction",
    path: "^/eth_getTransactionCount",
    except: { always: SILENT },
  },
  {
    ...rpc,
    name: "RPC eth_estimateGas",
    purpose: "its gas",
    path: "^/eth_estimateGas",
    except: { always: SILENT },
  },
  {
    ...rpc,
    name: "RPC eth_getBlockByNumber",
    purpose: "the base fee",
    path: "^/eth_getBlockByNumber",
    outOfRange: result({ number: "0x1", baseFeePerGas: HUGE, timestamp: "0x1" }),
    except: { always: SILENT },
  },
  {
    ...rpc,
    name: "RPC eth_sendRawTransaction",
    purpose: "to send it",
    path: "^/eth_sendRawTransaction",
    except: {
      always: {
        ...SILENT,
        half: "accepted",
        "wrong types": "deadline",
        "absent fields": "deadline",
        "out of range": "deadline",
      },
    },
    note: "What the answer says is not believed, only the receipt is: a sent transaction whose answer is lost is found.",
  },
  {
    ...rpc,
    name: "RPC eth_getTransactionReceipt",
    purpose: "its receipt",
    path: "^/eth_getTransactionReceipt",
    except: { always: { ...SILENT, "absent fields": "deadline" } },
  },
];

const CONFIDENTIAL: Endpoint[] = [
  {
    ...rpc,
    role: "verifier",
    name: "CoFHE decryption",
    purpose: "the prompt key's halves (the devnet's threshold network, a contract)",
    path: "^/eth_call/0x0000000000000000000000000000000000005002",
    codes: COFHE,
  },
  {
    ...rpc,
    name: "CoFHE encryption",
    purpose: "the output key's inputs (the devnet's verifier, a contract)",
    path: "^/eth_call/0x0000000000000000000000000000000000005001",
    codes: COFHE,
  },
];

const model = {
  ...verifier,
  method: "POST",
  purpose: "the answer",
  codes: MODEL,
  absentFields: {},
  note: "400 and 404 say that the model or the prompt is not taken, 401 that the key is not: the operator has to act.",
} as const;
const NO = { "400": "failed model", "401": "failed model-key", "404": "failed model" } as const;

const MODELS: Endpoint[] = [
  {
    ...model,
    name: "Groq completion",
    door: "groq",
    model: "groq:llama-3.3-70b-versatile",
    path: "/chat/completions$",
    except: { both: NO },
    deadlineSec: 240,
    wrongTypes: { choices: [{ message: { content: 7 } }] },
    outOfRange: { choices: [] },
  },
  {
    ...model,
    name: "Gemini completion",
    door: "gemini",
    model: "gemini:gemini-2.5-flash",
    path: ":generateContent$",
    except: { both: NO },
    deadlineSec: 240,
    wrongTypes: { candidates: 7 },
    outOfRange: { candidates: [] },
    note: `${model.note} A prompt counts as refused only where the answer gives the reason for which it was blocked.`,
  },
  {
    ...model,
    few: 2,
    name: "OpenAI completion",
    door: "openai",
    model: "facebook/opt-125m",
    path: "/v1/completions$",
    except: { both: NO },
    deadlineSec: 300,
    wrongTypes: { choices: [{ text: 7 }] },
    outOfRange: { choices: [] },
  },
];

export const ENDPOINTS: readonly Endpoint[] = [
  ...COORDINATOR,
  ...STORAGE,
  ...CHAIN_BASICS,
  ...CHAIN,
  ...CHAIN_LOOKS,
  ...CONFIDENTIAL,
  ...COFHE_CONTRACTS,
  ...MODELS,
  ...MODEL_LISTS,
  ...PAYMENTS,
];
