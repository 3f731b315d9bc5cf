/**
 * The coordinator as the node sees it (protocol §1): its calls, with exactly the wire's fields in the wire's order. One
 * attempt a call; all of them are safe to repeat. Job ids are opaque. A claim answered 404 is told apart by asking
 * whether the coordinator knows the node: it may have lost the job, or both.
 */
import { getAddress } from "viem/utils";
import { type AttestationEvidence, attestationBody, pathSegment, resultBody, verdictBody } from "./bodies.ts";
import { type CallerOptions, createCaller } from "./call.ts";
import { refusalError, unknownJobError } from "./refusal.ts";
import { type AssignmentList, readRows } from "./rows.ts";
import * as wire from "./schema.ts";

export type { AssignmentList, AttestationEvidence };
export type IclClientOptions = CallerOptions;

/**
 * Every call throws NodeError: `icl-unknown-node` on 401 and 404 (retry after attesting), `icl-refused` on other 4xx
 * (never), `icl-rate-limited`, `icl-unreachable` and `icl-malformed` otherwise (later; a POST is then `admitted: unknown`).
 */
export interface IclClient {
  challenge(): Promise<wire.Challenge>;
  verifyAttestation(evidence: AttestationEvidence): Promise<wire.Certificate>;
  heartbeat(): Promise<void>;
  assignments(): Promise<AssignmentList>;
  /**
   * `icl-refused` where the coordinator knows the node but not the job.
   * @param onLeaving called when the claim is signed and about to leave
   */
  claim(jobId: string, onLeaving?: () => void): Promise<wire.ClaimReply>;
  submitResult(result: wire.LeaderResult): Promise<wire.SubmissionReply>;
  submitVerdict(verdict: wire.VerifierVerdict): Promise<wire.SubmissionReply>;
  /** A 404 is worth asking again: some versions know a job's status only from the leader's result on. */
  jobStatus(jobId: string): Promise<wire.JobStatus>;
  /** What the coordinator knows of this node; null when it answers 401 or 404, which is the sign to attest again. */
  nodeRecord(): Promise<wire.NodeRecord | null>;
  health(): Promise<{ status: string }>;
  /** The coordinator's clock less ours in ms, by its latest Date header (to about half a second); null before one came. */
  clockSkewMs(): number | null;
  /** What to add to our clock to be on the coordinator's, ms: 0 unless the two are notably apart (30 s). */
  clockCorrectionMs(): number;
}

/** What a coordinator answers about a node it does not know. */
const UNKNOWN_NODE = [401, 404];

export function createIclClient(options: IclClientOptions): IclClient {
  const { clock } = options;
  const caller = createCaller(options);
  // Checksummed: with a lower-case address a leader is told that it is a verifier (protocol §1).
  const node = getAddress(options.signer.address);
  const nodeRecord = () =>
    caller.find({ name: "node record", path: `/v1/nodes/${node}`, reply: wire.nodeRecord }, UNKNOWN_NODE);

  return {
    challenge: () => caller.send({ name: "challenge", path: `/internal/challenge/${node}`, reply: wire.challenge }),
    verifyAttestation: (evidence) =>
      caller.send({
        name: "attestation",
        path: "/internal/attestation/verify",
        body: attestationBody(node, evidence),
        reply: wire.certificate,
      }),
    async heartbeat() {
      const body = {
        nodeAddress: node,
        timestamp: String(Math.floor((clock.now() + caller.clockCorrectionMs()) / 1000)),
      };
      await caller.send({ name: "heartbeat", path: "/internal/heartbeat", body, reply: wire.heartbeatReply });
    },
    async assignments() {
      const call = { name: "assignments", path: `/internal/assignments/${node}`, reply: wire.assignments };
      return readRows((await caller.send(call)).assignments);
    },
    async claim(jobId, onLeaving) {
      const body = { jobId, nodeAddress: node };
      const leaving = onLeaving === undefined ? {} : { onLeaving };
      const call = { name: "claim", path: "/internal/task/claim", body, reply: wire.claimReply, ...leaving };
      const reply = await caller.find(call, [404]);
      if (reply !== null) return reply;
      const record = await nodeRecord().catch(() => null);
      if (record !== null && record.active !== false) throw unknownJobError(caller.contextOf(call));
      throw refusalError(404, caller.contextOf(call));
    },
    submitResult: async (result) =>
      caller.send({
        name: "result",
        path: "/internal/task/result",
        body: resultBody(result),
        reply: wire.submissionReply,
      }),
    submitVerdict: async (verdict) =>
      caller.send({
        name: "verdict",
        path: "/internal/task/verify",
        body: verdictBody(verdict),
        reply: wire.submissionReply,
      }),
    jobStatus: async (jobId) =>
      caller.send({ name: "job status", path: `/internal/jobs/${pathSegment(jobId)}/status`, reply: wire.jobStatus }),
    nodeRecord,
    health: () => caller.send({ name: "health", path: "/health", reply: wire.heartbeatReply }),
    clockSkewMs: () => caller.clockSkewMs(),
    clockCorrectionMs: () => caller.clockCorrectionMs(),
  };
}
