/**
 * Every failure point of a job and of the node's duties: a moment between two steps at which the process may die. The
 * chaos run kills a node at each of them, docs/design/failure-points.md is generated from this table, and a unit test
 * keeps it equal to the failpoints in the sources.
 *
 * `failpoint`: the node itself stands still there (core/failpoint.ts, test builds only). `held`: a service took the
 * request and acted, and its answer never comes. `unanswered`: a service got the request and did nothing.
 */
import type { Role } from "../../core/icl/schema.ts";
import { EFFECTS, type EffectKind } from "../../core/jobs/job.ts";

export type Reach = "failpoint" | "held" | "unanswered";
export type Service = "icl" | "ipfs" | "groq" | "rpc";

/** Whose work it is: a role's in a job, either's, or the node's own. */
export type Who = Role | "either" | "node";

export interface FailurePoint {
  name: string;
  reach: Reach;
  who: Who;
  /** The source file of a failpoint, the request of the others. */
  where: string;
  /** What is on disk at that moment. */
  onDisk: string;
  /** What the next start does. */
  restart: string;
  /** Where the request goes, for held and unanswered ones. */
  request?: { service: Service; path: string };
  /**
   * The failpoints around that request, where the service cannot tell the nodes apart: one node alone is let past
   * `before`, and one that is seen at `after` was not the one held. The coordinator knows a node by its address.
   */
  gate?: { before: string; after: string; model?: string };
  /** What brings a node there, where no job does. */
  by?: "attest";
}

/** What is true of each effect when it is interrupted (docs/design/job.md). */
const EFFECT_NOTES: Record<EffectKind, { who: Who; before: string; after: string; again: string }> = {
  claim: {
    who: "either",
    before: "the offer",
    after: "the handles and, for a leader, the wrapped output key",
    again: "it is claimed again, which restarts the coordinator's window",
  },
  execute: {
    who: "either",
    before: "the handles",
    after: "the answer's digest and, for a leader, the sealed answer",
    again: "the model is asked again: nothing left the executor",
  },
  "encrypt-key": {
    who: "leader",
    before: "the wrapped output key",
    after: "its encrypted inputs",
    again: "the key is encrypted again; the first inputs were never used",
  },
  "find-leader": {
    who: "verifier",
    before: "the handles or the answer's digest",
    after: "the leader's CID and commitment",
    again: "the status is read again",
  },
  pin: {
    who: "leader",
    before: "the sealed answer",
    after: "its CID",
    again: "the same bytes are pinned again: the same CID",
  },
  commit: {
    who: "either",
    before: "the CID and the digest",
    after: "the commitment, recorded by the guard as well",
    again: "the guard says the same to the same commitment",
  },
  grant: {
    who: "leader",
    before: "the commitment and the encrypted key",
    after: "the transaction's hash",
    again: "the queue finds the transaction by its purpose",
  },
  submit: {
    who: "either",
    before: "the commitment",
    after: "that the coordinator took it",
    again: "the same hash is sent again",
  },
  follow: { who: "either", before: "that it was submitted", after: "the outcome", again: "the status is read again" },
};

const DRIVER = "core/jobs/driver.ts";
const ASSIGNMENT = "workers/objects/assignment.ts";
const QUEUE = "core/chain/queue.ts";
const SENDER = "core/chain/sender.ts";
const POLL = "workers/objects/node/duties/poll.ts";

const effectPoints = EFFECTS.flatMap((kind): FailurePoint[] => {
  const { who, before, after, again } = EFFECT_NOTES[kind];
  const common = { reach: "failpoint", who, where: DRIVER } as const;
  return [
    { ...common, name: `${kind}.begun`, onDisk: before, restart: `${kind} begins` },
    { ...common, name: `${kind}.unsaved`, onDisk: `${before}; its effect happened`, restart: again },
    { ...common, name: `${kind}.saved`, onDisk: after, restart: "the next step begins" },
  ];
});

const nodePoints: FailurePoint[] = [
  {
    name: "offer.indexed",
    reach: "failpoint",
    who: "either",
    where: POLL,
    onDisk: "the offer, in the node's index",
    restart: "it is handed to its Assignment object",
  },
  {
    name: "offer.saved",
    reach: "failpoint",
    who: "either",
    where: ASSIGNMENT,
    onDisk: "the job's row, without an alarm",
    restart: "it is handed over again, which finds the row and arms the alarm",
  },
  {
    name: "offer.handed",
    reach: "failpoint",
    who: "either",
    where: POLL,
    onDisk: "the job's row; the index still has the offer",
    restart: "it is handed over again, which changes nothing",
  },
  {
    name: "guard.recorded",
    reach: "failpoint",
    who: "either",
    where: "workers/objects/node.ts",
    onDisk: "the commitment, in the guard alone",
    restart: "the same commitment is recorded again",
  },
  {
    name: "transaction.queued",
    reach: "failpoint",
    who: "leader",
    where: QUEUE,
    onDisk: "what the transaction is for",
    restart: "it is signed: nothing was before",
  },
  {
    name: "transaction.signed",
    reach: "failpoint",
    who: "leader",
    where: QUEUE,
    onDisk: "the signed bytes",
    restart: "its receipt is looked for, then the same bytes are sent",
  },
  {
    name: "transaction.sent",
    reach: "failpoint",
    who: "leader",
    where: SENDER,
    onDisk: "the signed bytes; the chain has them",
    restart: "its receipt is found",
  },
  {
    name: "transaction.mined",
    reach: "failpoint",
    who: "leader",
    where: SENDER,
    onDisk: "the signed bytes; it is mined",
    restart: "its receipt is found",
  },
  {
    name: "certificate.unsaved",
    reach: "failpoint",
    who: "node",
    where: "workers/objects/node/duties/coordinator.ts",
    onDisk: "the former certificate",
    restart: "the former one goes on, or a new one is asked for",
    by: "attest",
  },
  {
    name: "report.unmarked",
    reach: "failpoint",
    who: "either",
    where: ASSIGNMENT,
    onDisk: "the job's state; the Node object has heard of it",
    restart: "it is reported again and counts once",
  },
  {
    name: "history.unmarked",
    reach: "failpoint",
    who: "either",
    where: ASSIGNMENT,
    onDisk: "the job's state; D1 has it",
    restart: "it is written again, which changes nothing",
  },
  {
    name: "end.told",
    reach: "failpoint",
    who: "either",
    where: ASSIGNMENT,
    onDisk: "the finished job, told to all; its alarm",
    restart: "it ends again, which changes nothing",
  },
];

type Half = "held" | "unanswered";
const HALVES: readonly Half[] = ["held", "unanswered"];
const SENT_AGAIN = "it is sent again, which is safe";
const RECEIPT_FOUND = "its receipt is found";

/** Requests that carry the node's address: the coordinator's. */
const coordinatorPoints = HALVES.flatMap((reach): FailurePoint[] => {
  const point = (name: string, who: Who, where: string, onDisk: string, restart: string): FailurePoint => ({
    name: `${name}.${reach}`,
    reach,
    who,
    where,
    onDisk: reach === "held" ? `${onDisk}; the coordinator acted on it` : onDisk,
    restart,
    request: { service: "icl", path: patternOf(where) },
    ...(who === "node" ? { by: "attest" } : {}),
  });
  const renewal = "the former one goes on, or a new one is asked for";
  return [
    point("claim", "either", "POST /internal/task/claim", "that a claim is on its way", SENT_AGAIN),
    point("result", "leader", "POST /internal/task/result", "the commitment and the transaction", SENT_AGAIN),
    point("verdict", "verifier", "POST /internal/task/verify", "the commitment and the verdict", SENT_AGAIN),
    point("status", "either", "GET /internal/jobs/…", "the job as it was", "it is asked again"),
    point("challenge", "node", "GET /internal/challenge/…", "the former certificate", renewal),
    point("attestation", "node", "POST /internal/attestation/verify", "the former certificate", renewal),
    point("heartbeat", "node", "POST /internal/heartbeat", "nothing of it", "a heartbeat is sent at once"),
    point("poll", "node", "GET /internal/assignments/…", "nothing of it", "the list is asked for at once"),
  ];
});

const AROUND_EXECUTE = { before: "execute.begun", after: "execute.unsaved" };
const AROUND_PIN = { before: "pin.begun", after: "pin.unsaved" };
const AROUND_BROADCAST = { before: "transaction.signed", after: "transaction.sent" };

/** Requests that anyone might have sent. */
const otherPoints: FailurePoint[] = [
  {
    name: "prompt.unanswered",
    reach: "unanswered",
    who: "either",
    where: "the gateway's GET /ipfs/…",
    onDisk: "the handles",
    restart: "the prompt is downloaded again",
    request: { service: "ipfs", path: "^/ipfs/" },
    gate: AROUND_EXECUTE,
  },
  ...HALVES.map(
    (reach): FailurePoint => ({
      name: `model.${reach}`,
      reach,
      who: "either",
      where: "the model's POST /chat/completions",
      onDisk: reach === "held" ? "the handles; the model answered" : "the handles",
      restart: "the model is asked again: nothing left the executor",
      request: { service: "groq", path: "/chat/completions$" },
      gate: { ...AROUND_EXECUTE, model: "groq:" },
    }),
  ),
  ...HALVES.map(
    (reach): FailurePoint => ({
      name: `pinning.${reach}`,
      reach,
      who: "leader",
      where: "the pinning service's POST /pinning/…",
      onDisk: reach === "held" ? "the sealed answer; it is pinned" : "the sealed answer",
      restart: "the same bytes are pinned again: the same CID",
      request: { service: "ipfs", path: "^/pinning/" },
      gate: AROUND_PIN,
    }),
  ),
  ...HALVES.map(
    (reach): FailurePoint => ({
      name: `broadcast.${reach}`,
      reach,
      who: "leader",
      where: "the RPC's eth_sendRawTransaction",
      onDisk: reach === "held" ? "the signed bytes; the chain has them" : "the signed bytes, which the chain never got",
      restart: reach === "held" ? RECEIPT_FOUND : "no receipt is found, and the same bytes are sent",
      request: { service: "rpc", path: "^/eth_sendRawTransaction$" },
      gate: AROUND_BROADCAST,
    }),
  ),
  {
    name: "receipt.unanswered",
    reach: "unanswered",
    who: "leader",
    where: "the RPC's eth_getTransactionReceipt",
    onDisk: "the signed bytes; the chain has them",
    restart: RECEIPT_FOUND,
    request: { service: "rpc", path: "^/eth_getTransactionReceipt$" },
    gate: { before: "transaction.sent", after: "transaction.mined" },
  },
];

/** The path as the faults match it, from `METHOD /path` or `METHOD /path/…`. */
function patternOf(where: string): string {
  const path = where.slice(where.indexOf("/"));
  return path.endsWith("…") ? `^${path.slice(0, -1)}` : `^${path}$`;
}

export const POINTS: readonly FailurePoint[] = [...effectPoints, ...nodePoints, ...coordinatorPoints, ...otherPoints];
