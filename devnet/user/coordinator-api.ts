/**
 * The coordinator as a user sees it (protocol §10): preview, upload, request, follow. Handles are parsed losslessly and
 * every answer through a schema. One attempt a call.
 */
import type { Address } from "viem";
import * as z from "zod";
import { requestText } from "../../core/http.ts";
import { parseLossless } from "../../core/icl/json.ts";
import { handle } from "../../core/icl/schema.ts";
import type { Clock, Fetch } from "../../core/ports.ts";

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 1 << 20;

const address = z.templateLiteral(["0x", z.string().regex(/^[0-9a-fA-F]{40}$/)]);

const quorum = z.object({ leader: address, verifiers: z.array(address).min(1) });
export type QuorumPreview = z.output<typeof quorum>;

const uploaded = z.object({ cid: z.string().min(1) });

const jobView = z.object({
  job_id: z.string().min(1),
  status: z.string(),
  leader_address: address,
  verifier_addresses: z.array(address),
  output_cid: z.string().nullable(),
  encrypted_output_key_high: handle,
  encrypted_output_key_low: handle,
  output_key_store_tx: z.string().nullable(),
  commitment_hash: z.string().nullable(),
  commitments: z.array(z.object({ node_address: address, commitment_hash: z.string() })),
});
export type JobView = z.output<typeof jobView>;

export interface UserRequest {
  account: Address;
  /** The user's own choice, bytes32. */
  taskId: `0x${string}`;
  modelId: string;
  promptCid: string;
  keyHandles: { high: bigint; low: bigint };
  /** The CoFHE inputs as they were stored, for the record. */
  keyInputs: { high: unknown; low: unknown };
  storeTx: string;
  quorum: QuorumPreview;
}

export interface CoordinatorApi {
  preview(modelId: string, verifierCount: number): Promise<QuorumPreview>;
  upload(blob: Uint8Array<ArrayBuffer>): Promise<string>;
  request(request: UserRequest): Promise<JobView>;
  job(jobId: string): Promise<JobView>;
}

export function createCoordinatorApi(options: { url: string; fetch: Fetch; clock: Clock }): CoordinatorApi {
  const { fetch, clock } = options;
  const base = options.url.replace(/\/+$/, "");
  const call = async <T>(path: string, shape: z.ZodType<T>, init: RequestInit = {}): Promise<T> => {
    const request = new Request(`${base}/v1/inference/${path}`, init);
    const { status, text } = await requestText(fetch, clock, request, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
    if (status !== 200)
      throw new Error(`the coordinator answered ${status} to ${path.split("?")[0]}: ${detailOf(text)}`);
    return shape.parse(parseLossless(text));
  };
  return {
    preview(modelId, verifierCount) {
      const query = { model_id: modelId, min_tier: "0", verifier_count: `${verifierCount}`, zdr_required: "false" };
      return call(`quorum-preview?${new URLSearchParams(query).toString()}`, quorum);
    },
    async upload(blob) {
      const body = new FormData();
      body.append("file", new Blob([blob], { type: "application/octet-stream" }), "prompt.bin");
      return (await call("upload-prompt", uploaded, { method: "POST", body })).cid;
    },
    request(request) {
      const headers = { "content-type": "application/json" };
      return call("requests", jobView, { method: "POST", headers, body: JSON.stringify(requestBody(request)) });
    },
    job: (jobId) => call(encodeURIComponent(jobId), jobView),
  };
}

function requestBody({ account, taskId, modelId, promptCid, keyHandles, keyInputs, storeTx, quorum }: UserRequest) {
  return {
    developer_address: account,
    task_id: taskId,
    mode: "text",
    model_id: modelId,
    text_request: {
      prompt_cid: promptCid,
      encrypted_prompt_key: { high: keyHandles.high.toString(), low: keyHandles.low.toString() },
      model_id: modelId,
      coverage_enabled: false,
    },
    leader_address: quorum.leader,
    verifier_addresses: quorum.verifiers,
    min_tier: 0,
    verifier_count: quorum.verifiers.length,
    metadata: { prompt_key_store_tx: storeTx, cofhe_prompt_key_inputs: keyInputs },
  };
}

/** The coordinator's own words; a user's request holds nothing secret that it could repeat. */
function detailOf(text: string): string {
  try {
    return z.object({ detail: z.string() }).parse(JSON.parse(text)).detail;
  } catch {
    return "no reason given";
  }
}
