/**
 * What a hardware quote is made over, so that it speaks for one node, one code, one key and one challenge (protocol §2).
 *
 *   bound      = SHA-256(F("blf-attest/1") F(chainId) F(node) F(runtimeHash) F(models) F(sidecarKey) F(hpkeKey) F(gpuHash))
 *   reportData = bound ‖ nonce, 64 bytes; a TPM signs SHA-256(reportData). F(x) is x behind its length: the encoding is one to one.
 */
import { hexToBytes } from "viem/utils";
import { sha256 } from "../crypto/sha256.ts";
import { NodeError } from "../errors.ts";
import { type Bytes, concat, u32, u64 } from "./bytes.ts";

export const BINDING_LABEL = "blf-attest/1";
export const NONCE_BYTES = 32;
/** What SEV-SNP and TDX reports have room for. */
export const REPORT_DATA_BYTES = 64;

export interface AttestedClaims {
  /** As 8 bytes, big-endian. */
  chainId: number;
  /** 0x and 40 hex digits; as 20 bytes, so that the checksum's case does not matter. */
  node: string;
  /** 64 hex digits; as 32 bytes. */
  runtimeHash: string;
  /** In the order in which they are shown to the coordinator; as a count (4 bytes, big-endian) and F(UTF-8) of each. */
  models: readonly string[];
  /** The sidecar's Ed25519 key, 32 bytes; empty where there is none. */
  sidecarKey: Uint8Array;
  /** X25519, 32 bytes; empty where prompts are not sealed to the sidecar. */
  hpkeKey: Uint8Array;
  /** SHA-256 of the GPU's own evidence; empty without. */
  gpuEvidenceHash: Uint8Array;
}

/**
 * The 32 bytes that stand for the claims.
 * @throws NodeError `internal` for claims that cannot be encoded one to one: they come from our own configuration
 */
export async function boundHash(claims: AttestedClaims): Promise<Bytes> {
  const models = claims.models.map((model) => field(new TextEncoder().encode(wellFormed(model))));
  return sha256(
    concat(
      field(new TextEncoder().encode(BINDING_LABEL)),
      field(u64(chainId(claims.chainId))),
      field(hex("node", claims.node.replace(/^0x/i, ""), 20)),
      field(hex("runtimeHash", claims.runtimeHash, 32)),
      field(concat(u32(models.length), ...models)),
      field(optional("sidecarKey", claims.sidecarKey)),
      field(optional("hpkeKey", claims.hpkeKey)),
      field(optional("gpuEvidenceHash", claims.gpuEvidenceHash)),
    ),
  );
}

/**
 * `boundHash ‖ nonce`, 64 bytes: the report data of SEV-SNP and TDX.
 * @throws NodeError `icl-malformed` for a nonce that is not 32 bytes: cut or stretched, two challenges could share a quote
 */
export async function reportData(claims: AttestedClaims, nonce: Uint8Array): Promise<Bytes> {
  if (nonce.length !== NONCE_BYTES) {
    throw new NodeError("icl-malformed", `the challenge's nonce has ${nonce.length} bytes, not ${NONCE_BYTES}`, {
      retry: "never",
      hint: "A hardware quote has room for a nonce of 32 bytes. Report it to the coordinator's operator.",
    });
  }
  return concat(await boundHash(claims), nonce);
}

/** A TPM's qualifying data: SHA-256 of the report data, since firmware TPMs refuse more than 32 bytes. */
export async function tpmQualifyingData(data: Bytes): Promise<Bytes> {
  return sha256(data);
}

function field(bytes: Uint8Array): Bytes {
  return concat(u32(bytes.length), bytes);
}

function hex(name: string, text: string, bytes: number): Uint8Array {
  if (text.length !== bytes * 2 || !/^[0-9a-f]*$/i.test(text)) throw bug(`${name} is not ${bytes} bytes of hex`);
  return hexToBytes(`0x${text}`);
}

function optional(name: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 0 && bytes.length !== 32) throw bug(`${name} has ${bytes.length} bytes, not 32 or none`);
  return bytes;
}

/** UTF-8 turns every lone surrogate into the same three bytes. */
function wellFormed(model: string): string {
  if (!model.isWellFormed()) throw bug("a model id is no Unicode text");
  return model;
}

function chainId(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw bug("the chain id is no whole number");
  return BigInt(value);
}

function bug(message: string): NodeError {
  return new NodeError("internal", `attestation: ${message}`, {
    retry: "never",
    hint: "This is a bug in the node: report it.",
  });
}
