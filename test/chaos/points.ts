/**
 * Every failure point of a job and of the node's duties: a moment between two steps at which the process may die. The
 * chaos run kills a node at each of them, docs/design/failure-points.md is generated from this table, and a unit test
 * keeps it equal to the failpoints in the sources.
 *
 * `failpoint`: the node itself stands still there (core/failpoint.ts, test builds only). `held`: a service took the
 * request and acted, and its answer never comes. `unanswered`: a service got the request and did nothing.
 */
import { EFFECTS, type EffectKind } from "../../core/jobs/job.ts";

export type Reach = "failpoint" | "held" | "unanswered";
export type Service = "icl" | "ipfs" | "groq" | "rpc";

export interface FailurePoint {
  name: string;
  reach: Reach;
  /** What is on disk at that moment. */
  onDisk: string;
  /** What the next start does. */
  restart: string;
  /** Where the request goes, for held and unanswered ones. */
  request?: { service: Service; path: string };
  /** The failpoint just before that request, at which the node is told apart; the coordinator knows it by address. */
  gate?: string;
  /** What brings a node there, where no job does. */
  by?: "attest";
}

/** What is true of each effect when it is interrupted (docs/design/job.md). */
const EFFECT_NOTES: Record<EffectKind, { before: string; after: string; again: string }> = {
  claim: {
    before: "the offer",
    after: "the handles and, for a leader, the wrapped output key",
    again: "it is claimed again, which restarts the coordinator's window",
  },
  execute: {
    before: "the handles",
    after: "the answer's digest and, for a leader, the sealed answer",
    again: "the model is asked again: nothing left the executor",
  },
  "encrypt-key": {
    before: "the wrapped output key",
    after: "its encrypted inputs",
    again: "the key is encrypted again; the first inputs were never used",
  },
  "find-leader": {
    before: "the handles or the answer's digest",
    after: "the leader's CID and commitment",
    again: "the status is read again",
  },
  pin: { before: "the sealed answer", after: "its CID", again: "the same bytes are pinned again: the same CID" },
  commit: {
    before: "the CID and the digest",
    after: "the commitment, recorded by the guard as well",
    again: "the guard says the same to the same commitment",
  },
  grant: {
    before: "the commitment and the encrypted key",
    after: "the transaction's hash",
    again: "the queue finds the transaction by its purpose",
  },
  submit: { before: "the commitment", after: "that the coordinator took it", again: "the same hash is sent again" },
  follow: { before: "that it was submitted", after: "the outcome", again: "the status is read again" },
};

const effectPoints = EFFECTS.flatMap((kind): FailurePoint[] => {
  const { before, after, again } = EFFECT_NOTES[kind];
  return [
    { name: `${kind}.begun`, reach: "failpoint", onDisk: before, restart: `${kind} begins` },
    { name: `${kind}.unsaved`, reach: "failpoint", onDisk: `${before}; its effect happened`, restart: again },
    { name: `${kind}.saved`, reach: "failpoint", onDisk: after, restart: "the next step begins" },
  ];
});

const nodePoints: FailurePoint[] = [
  {
    name: "offer.indexed",
    reach: "failpoint",
    onDisk: "the offer, in the node's index",
    restart: "it is handed to its Assignment object",
  },
  {
    name: "offer.saved",
    reach: "failpoint",
    onDisk: "the job's row, without an alarm",
    restart: "it is handed over again, which finds the row and arms the alarm",
  },
  {
    name: "offer.handed",
    reach: "failpoint",
    onDisk: "the job's row; the index still has the offer",
    restart: "it is handed over again, which changes nothing",
  },
  {
    name: "guard.recorded",
    reach: "failpoint",
    onDisk: "the commitment, in the guard alone",
    restart: "the same commitment is recorded again",
  },
  {
    name: "transaction.queued",
    reach: "failpoint",
    onDisk: "what the transaction is for",
    restart: "it is signed: nothing was before",
  },
  {
    name: "transaction.signed",
    reach: "failpoint",
    onDisk: "the signed bytes",
    restart: "its receipt is looked for, then the same bytes are sent",
  },
  {
    name: "transaction.sent",
    reach: "failpoint",
    onDisk: "the signed bytes; the chain has them",
    restart: "its receipt is found",
  },
  {
    name: "transaction.mined",
    reach: "failpoint",
    onDisk: "the signed bytes; it is mined",
    restart: "its receipt is found",
  },
  {
    name: "certificate.unsaved",
    reach: "failpoint",
    onDisk: "the former certificate",
    restart: "the former one goes on, or a new one is asked for",
    by: "attest",
  },
  {
    name: "report.unmarked",
    reach: "failpoint",
    onDisk: "the job's state; the Node object has heard of it",
    restart: "it is reported again and counts once",
  },
  {
    name: "history.unmarked",
    reach: "failpoint",
    onDisk: "the job's state; D1 has it",
    restart: "it is written again, which changes nothing",
  },
  {
    name: "end.told",
    reach: "failpoint",
    onDisk: "the finished job, told to all; its alarm",
    restart: "it ends again, which changes nothing",
  },
];

const requestPoints: FailurePoint[] = [
  ...(["held", "unanswered"] as const).flatMap((reach): FailurePoint[] => {
    const acted = reach === "held" ? "; the coordinator acted on it" : "";
    return [
      ["claim", "^/internal/task/claim$", "that a claim is on its way"],
      ["result", "^/internal/task/result$", "the commitment and the transaction"],
      ["verdict", "^/internal/task/verify$", "the commitment and the verdict"],
      ["status", "^/internal/jobs/", "the job as it was"],
    ].map(([name, path, onDisk]) => ({
      name: `${name}.${reach}`,
      reach,
      onDisk: `${onDisk}${acted}`,
      restart: "it is sent again, which is safe",
      request: { service: "icl", path: String(path) },
    }));
  }),
  {
    name: "attestation.held",
    reach: "held",
    onDisk: "the former certificate; the coordinator issued a new one",
    restart: "the former one goes on, or a new one is asked for",
    request: { service: "icl", path: "^/internal/attestation/verify$" },
    by: "attest",
  },
  {
    name: "heartbeat.held",
    reach: "held",
    onDisk: "nothing of it",
    restart: "a heartbeat is sent at once",
    request: { service: "icl", path: "^/internal/heartbeat$" },
    by: "attest",
  },
  {
    name: "prompt.unanswered",
    reach: "unanswered",
    onDisk: "the handles",
    restart: "the prompt is downloaded again",
    request: { service: "ipfs", path: "^/ipfs/" },
    gate: "execute.begun",
  },
  {
    name: "model.held",
    reach: "held",
    onDisk: "the handles; the model answered",
    restart: "the model is asked again: nothing left the executor",
    request: { service: "groq", path: "/chat/completions$" },
    gate: "execute.begun",
  },
  {
    name: "pinning.held",
    reach: "held",
    onDisk: "the sealed answer; it is pinned",
    restart: "the same bytes are pinned again: the same CID",
    request: { service: "ipfs", path: "^/pinning/" },
    gate: "pin.begun",
  },
  {
    name: "broadcast.held",
    reach: "held",
    onDisk: "the signed bytes; the chain has them",
    restart: "its receipt is found",
    request: { service: "rpc", path: "^/eth_sendRawTransaction$" },
    gate: "transaction.signed",
  },
  {
    name: "broadcast.unanswered",
    reach: "unanswered",
    onDisk: "the signed bytes, which the chain never got",
    restart: "no receipt is found, and the same bytes are sent",
    request: { service: "rpc", path: "^/eth_sendRawTransaction$" },
    gate: "transaction.signed",
  },
];

export const POINTS: readonly FailurePoint[] = [...effectPoints, ...nodePoints, ...requestPoints];
