/**
 * The coordinator's wire (protocol §1), every byte from outside parsed here. Field names are the wire's. Handles are
 * uint256 that arrive as bare integers, decimal strings, 0x hex, 0 or null: `handle` makes them all a bigint, and the
 * text must have gone through `parseLossless` first. Unknown fields are dropped; strings are bounded.
 */
import * as z from "zod";

const UINT256_MAX = (1n << 256n) - 1n;
/** The longest id or text field a coordinator may send; ids are 66 characters in practice. */
const TEXT_MAX = 512;

const text = z.string().max(TEXT_MAX);
/** A field that may be left out. A coordinator in Python prints its None as null: that says the same. */
const maybe = <T extends z.ZodType>(shape: T) =>
  shape
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();
/**
 * An id is opaque, but it names rows and objects and stands in paths and headers: no control characters, no half of a
 * surrogate pair, which every encoder replaces by the same character, and no dot segment, which URLs resolve.
 */
const id = text.regex(/^(?!\.{1,2}$)[^\p{Cc}\p{Cs}]+$/u, "must be text that names something");
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, "must be 0x and 40 hex digits");
/** As a number or its digits. Nothing else becomes a time: a null that reads as 1970 would end a claimed job at once. */
const unixSec = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,11}$/, "must be unix seconds")
      .transform(Number),
  ])
  .pipe(z.number().int().min(0).max(1e11));

/** A uint256 handle as a bigint; 0 and null become 0n, which means "no key". In a claim's answer it must be there. */
const givenHandle = z
  .union([
    z.bigint(),
    z.number().int().nonnegative(),
    z.string().regex(/^(0x[0-9a-fA-F]{1,64}|\d{1,78})$/, "must be decimal or 0x hex"),
    z.null(),
  ])
  .transform((value) => (value === null ? 0n : BigInt(value)))
  .refine((value) => value >= 0n && value <= UINT256_MAX, "must fit in uint256");

/** The same, or absent, which also means "no key": an offer may come without handles. */
export const handle = givenHandle.prefault(null);

export const role = z.enum(["leader", "verifier"]);
export type Role = z.infer<typeof role>;

export const challenge = z.object({
  challengeId: text.min(1),
  nonce: z.string().regex(/^(0x)?([0-9a-fA-F]{2}){1,64}$/, "must be hex"),
  expiresAt: maybe(z.union([z.string().max(64), z.number()])),
});
export type Challenge = z.infer<typeof challenge>;

export const certificate = z.object({
  certHash: z.string().regex(/^0x([0-9a-fA-F]{2}){1,32}$/, "must be 0x hex of at most 32 bytes"),
  expiry: unixSec,
  tier: z.coerce.number().int().min(0).max(2),
});
export type Certificate = z.infer<typeof certificate>;

export const heartbeatReply = z.object({ status: text });

export const assignment = z.object({
  jobId: id,
  role,
  modelId: id,
  promptCid: text.min(1),
  deadline: unixSec,
  insuranceOptIn: maybe(z.boolean()).transform((value) => value ?? false),
  userAddress: address,
  kpHighHandle: handle,
  kpLowHandle: handle,
});
export type Assignment = z.infer<typeof assignment>;

/** Each row is parsed on its own by the client, so that one bad row does not hide the others. */
export const assignments = z.object({ assignments: z.array(z.unknown()).max(10_000) });

export const claimReply = z.object({
  kpHighHandle: givenHandle,
  kpLowHandle: givenHandle,
  outputKeyGranted: maybe(z.boolean()),
  claimDeadline: maybe(unixSec),
});
export type ClaimReply = z.infer<typeof claimReply>;

/** Answer to a result or a verdict. Versions differ in everything but the status. */
export const submissionReply = z.object({ status: text, finalized: maybe(z.boolean()) });
export type SubmissionReply = z.infer<typeof submissionReply>;

const absentText = z
  .string()
  .max(TEXT_MAX)
  .nullish()
  // A coordinator in Python may print its None as a string (protocol §1).
  .transform((value) => (value === undefined || value === "" || value === "None" || value === "null" ? null : value));

export const jobStatus = z.object({
  jobId: maybe(text),
  status: text.transform((value) => value.toUpperCase()),
  outputCid: absentText,
  leaderCommitment: absentText,
  failureReason: absentText,
});
export type JobStatus = z.infer<typeof jobStatus>;

export const nodeRecord = z.object({
  operator_address: maybe(text),
  active: maybe(z.boolean()),
  metrics: maybe(z.record(z.string(), z.unknown())),
});
export type NodeRecord = z.infer<typeof nodeRecord>;

/** A CoFHE encrypted input as JSON: `ctHash` is a uint256 in decimal, `utype` 6 is uint128. */
export const encryptedInput = z.object({
  ctHash: z.string().regex(/^\d{1,78}$/),
  securityZone: z.number().int(),
  utype: z.number().int(),
  signature: z.string().regex(/^0x[0-9a-fA-F]*$/),
});
export type EncryptedInput = z.infer<typeof encryptedInput>;

/** The leader's result, as sent (protocol §1). */
export interface LeaderResult {
  jobId: string;
  output_cid: string;
  /** 64 lowercase hex digits, no 0x. */
  commitment_hash: string;
  encrypted_output_key_high?: string;
  encrypted_output_key_low?: string;
  encrypted_output_key_inputs?: { high: EncryptedInput; low: EncryptedInput };
  output_key_store_tx?: string;
  output_key_store_job_id?: string;
}

/** A verifier's verdict, as sent (protocol §1): `commitment_hash` is always the verifier's own. */
export interface VerifierVerdict {
  jobId: string;
  verifier_address: string;
  commitment_hash: string;
  verdict: "CONFIRM" | "REJECT";
  /** Integer 0…100. */
  confidence: number;
}
