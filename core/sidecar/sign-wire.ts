/**
 * What the Worker may ask the node's key for. The key lives on the sidecar, which stands its policies before it: the
 * signing policy for transactions (core/chain/signing-policy.ts), the permit policy for typed data (permit-policy.ts).
 * Invariant: nothing here is a bare hash, and several poll timestamps are signed in one request.
 */
import * as z from "zod";
import { hex0x, nodeAddress, text, uint256 } from "./fields.ts";

/** Polls every 5 s: five minutes of them at once. */
const TIMESTAMPS_MAX = 64;
/** The largest body to the coordinator is an attestation with its event log. */
const ICL_BODY_MAX = 2 << 20;
const CALL_MAX = 65_536;

const json: z.ZodType<unknown> = z.unknown();

/** Headers of one request to the coordinator for each timestamp (core/icl/sign.ts). */
const iclRequest = z.object({
  kind: z.literal("icl"),
  node: nodeAddress,
  body: z.string().max(ICL_BODY_MAX).meta({ description: "The JSON text exactly as it is sent; empty for a GET." }),
  timestampsSec: z.array(z.number().int().min(0).max(1e11)).min(1).max(TIMESTAMPS_MAX),
});

const typedDataRequest = z.object({
  kind: z.literal("typed-data"),
  node: nodeAddress,
  typedData: z.strictObject({
    domain: z.record(text, json),
    types: z.record(text, z.array(z.strictObject({ name: text, type: text })).max(64)),
    primaryType: text,
    message: z.record(text, json),
  }),
});

/** EIP-1559 with these fields and no others, as the signing policy wants it. */
const transactionRequest = z.object({
  kind: z.literal("transaction"),
  node: nodeAddress,
  transaction: z.strictObject({
    type: z.literal("eip1559"),
    chainId: z.number().int().positive(),
    nonce: z.number().int().min(0),
    to: hex0x(20),
    data: hex0x(CALL_MAX),
    value: uint256,
    gas: uint256,
    maxFeePerGas: uint256,
    maxPriorityFeePerGas: uint256,
  }),
});

export const signRequestShape = z.discriminatedUnion("kind", [iclRequest, typedDataRequest, transactionRequest]);
export type SignRequest = z.output<typeof signRequestShape>;

export const signReplyShape = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("icl"),
    signatures: z
      .array(z.object({ timestampSec: z.number().int(), headers: z.record(text, text) }))
      .max(TIMESTAMPS_MAX),
  }),
  z.object({ kind: z.literal("typed-data"), signature: hex0x(65) }),
  z.object({ kind: z.literal("transaction"), serialized: hex0x(2 * CALL_MAX) }),
]);
export type SignReply = z.output<typeof signReplyShape>;
