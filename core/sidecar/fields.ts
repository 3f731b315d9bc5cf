/**
 * The fields that the sidecar's messages are made of. JSON knows neither bigint nor bytes: those are codecs, which read a
 * decimal text or base64 and write the same again. Every text is bounded; ids are what the coordinator's wire allows.
 */
import { getAddress } from "viem/utils";
import * as z from "zod";
import { assignment, encryptedInput as encryptedInputShape } from "../icl/schema.ts";

const UINT256_MAX = (1n << 256n) - 1n;
/** A sealed answer of a model's longest output; a request carries no more than a digest's worth of bytes. */
const BYTES_MAX = 1 << 20;

const TEXT_MAX = 512;
export const text = z.string().min(1).max(TEXT_MAX);
export const jobId = assignment.shape.jobId.meta({ description: "The coordinator's id of the job, as it came." });
export const modelId = assignment.shape.modelId;

/** As the coordinator spells it: strings are compared (protocol §1). */
export const nodeAddress = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, { error: "must be 0x and 40 hex digits", abort: true })
  .refine((value) => getAddress(value) === value, "must be spelled as EIP-55 says")
  .meta({ description: "The node's address, EIP-55." });

/** The empty text is zero bytes. */
export const bytes = z
  .codec(
    z
      .string()
      .max(Math.ceil(BYTES_MAX / 3) * 4)
      .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "must be base64"),
    z.custom<Uint8Array<ArrayBuffer>>((value) => value instanceof Uint8Array),
    {
      decode: (encoded) => Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)),
      encode: (plain) => btoa(Array.from(plain, (byte) => String.fromCharCode(byte)).join("")),
    },
  )
  .meta({ description: "Base64." });

export const uint256 = z
  .codec(z.string().regex(/^(0|[1-9]\d{0,77})$/, "must be a decimal integer"), z.bigint().min(0n).max(UINT256_MAX), {
    decode: (digits) => BigInt(digits),
    encode: (value) => value.toString(),
  })
  .meta({ description: "A uint256 in decimal." });

export const hex = (maxBytes: number) =>
  z
    .string()
    .regex(/^(?:[0-9a-fA-F]{2})*$/, "must be hex without 0x")
    .max(2 * maxBytes);
/** With 0x, in the type that viem takes. */
export const hex0x = (maxBytes: number) =>
  z.codec(
    z
      .string()
      .max(2 + 2 * maxBytes)
      .regex(/^0x(?:[0-9a-fA-F]{2})*$/, "must be 0x and hex"),
    z.custom<`0x${string}`>((value) => typeof value === "string" && value.startsWith("0x")),
    { decode: (plain): `0x${string}` => `0x${plain.slice(2)}`, encode: (value) => value },
  );

/** An output key wrapped by the sidecar: it opens nothing anywhere else. */
export const wrappedKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/, "must be a wrapped key")
  .meta({ description: "An output key, wrapped by the sidecar for this node and job. Opaque to the Worker." });

export const encryptedInput = encryptedInputShape;
export const count = z.number().int().min(0).max(1_000_000_000);
