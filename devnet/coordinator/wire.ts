/**
 * The bodies that nodes and users send, as strictly as the protocol allows (§1, §10), and JSON with bare big integers for
 * the answers. A node's body holds exactly the fields of the protocol; what is refused is named, never repeated.
 */
import { getAddress } from "viem";
import * as z from "zod";
import { parseLossless } from "../../core/icl/json.ts";
import { encryptedInput, handle } from "../../core/icl/schema.ts";
import { parseCid } from "../../core/ipfs/cid.ts";
import { ok, type Result } from "../../core/result.ts";
import { type Refusal, refusal } from "./refusal.ts";

const UINT128_TYPE = 6;
const TEXT_MAX = 512;
const MODELS_MAX = 64;

const text = z.string().min(1).max(TEXT_MAX);
const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/, "must be 0x and 64 lowercase hex digits");
const digest = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lowercase hex digits without 0x");
const decimal = z.string().regex(/^[1-9]\d{0,77}$/, "must be a decimal string other than 0");
const cid = text.refine((value) => parseCid(value).ok, "must be a CID");
const input = encryptedInput.extend({ utype: z.literal(UINT128_TYPE) }).strict();

export const attestationBody = z.strictObject({
  nodeAddress: text,
  backendType: z.enum(["mock", "tpm", "sev", "tdx"]),
  quote: z.string().regex(/^([0-9a-f]{2}){1,524288}$/, "must be hex without 0x"),
  runtimeHash: digest,
  challengeId: text,
  supportedModelIds: z.array(text).max(MODELS_MAX).optional(),
});

export const heartbeatBody = z.strictObject({
  nodeAddress: text,
  timestamp: z.string().regex(/^[1-9]\d{0,11}$/, "must be unix seconds as a decimal string"),
});

export const claimBody = z.strictObject({ jobId: text, nodeAddress: text });

export const resultBody = z
  .strictObject({
    jobId: text,
    output_cid: cid,
    commitment_hash: digest,
    encrypted_output_key_high: decimal,
    encrypted_output_key_low: decimal,
    encrypted_output_key_inputs: z.strictObject({ high: input, low: input }).optional(),
    output_key_store_tx: bytes32.optional(),
    output_key_store_job_id: bytes32.optional(),
  })
  .refine(
    ({ encrypted_output_key_inputs: inputs, ...body }) =>
      inputs === undefined ||
      (inputs.high.ctHash === body.encrypted_output_key_high && inputs.low.ctHash === body.encrypted_output_key_low),
    "encrypted_output_key_inputs must carry the same handles",
  );
export type ResultBody = z.output<typeof resultBody>;

export const verdictBody = z.strictObject({
  jobId: text,
  verifier_address: text,
  commitment_hash: digest,
  verdict: z.enum(["CONFIRM", "REJECT"]),
  confidence: z.int().min(0).max(100),
});

const spelled = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "must be an address")
  .transform((value) => getAddress(value.toLowerCase()));

/** A user's request; it may carry more than is read here. */
export const requestBody = z.object({
  developer_address: spelled,
  task_id: z
    .string()
    .regex(/^0x[0-9a-fA-F]{64}$/, "must be 0x and 64 hex digits")
    .nullish(),
  mode: z.literal("text"),
  model_id: text,
  text_request: z.object({
    prompt_cid: cid,
    encrypted_prompt_key: z.object({ high: handle, low: handle }),
    model_id: text,
    coverage_enabled: z.boolean().default(false),
  }),
  leader_address: spelled,
  verifier_addresses: z.array(spelled).min(1).max(16),
  min_tier: z.int().min(0).max(2).default(0),
  verifier_count: z.int().min(1).max(16).default(2),
});
export type RequestBody = z.output<typeof requestBody>;

export const previewQuery = z.object({
  model_id: text,
  min_tier: z.coerce.number().int().min(0).max(2).default(0),
  verifier_count: z.coerce.number().int().min(1).max(16).default(2),
  zdr_required: z.stringbool().default(false),
});

export const forgetBody = z.strictObject({
  mode: z.enum(["strict", "silent"]).default("strict"),
  keepJobs: z.boolean().default(false),
});

/** Parses JSON text into `shape`, or says which field is wrong. */
export function parseBody<T>(body: string, shape: z.ZodType<T>): Result<T, Refusal> {
  let value: unknown;
  try {
    value = parseLossless(body);
  } catch {
    return refusal("malformed", "the body is not JSON");
  }
  return parseValue(value, shape);
}

export function parseValue<T>(value: unknown, shape: z.ZodType<T>): Result<T, Refusal> {
  const parsed = shape.safeParse(value);
  return parsed.success ? ok(parsed.data) : refusal("malformed", z.prettifyError(parsed.error));
}

export type WireValue =
  | string
  | number
  | boolean
  | null
  | bigint
  | readonly WireValue[]
  | { [name: string]: WireValue };

/** JSON in which a bigint is a bare integer, as Python prints it (protocol §1). */
export function stringifyWire(value: WireValue): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(stringifyWire).join(", ")}]`;
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${stringifyWire(field)}`);
  return `{${fields.join(", ")}}`;
}

function isList(value: object): value is readonly WireValue[] {
  return Array.isArray(value);
}
