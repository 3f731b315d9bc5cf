/**
 * The endorsement key and the attestation key under it, at persistent handles: found there, or created and kept. A key that
 * is found must be what we would have created, else it is somebody else's: it is named and left alone, never replaced.
 */
import type { Bytes } from "../../core/attestation/bytes.ts";
import { equal, MalformedEvidence } from "../../core/attestation/bytes.ts";
import {
  nameOf,
  parsePublic,
  qualifiedNameUnder,
  type TpmPublic,
  unsizedPublic,
} from "../../core/attestation/tpm-structures.ts";
import { isAttestationKey, isEndorsementKey } from "../../core/attestation/tpm-verify.ts";
import { attestationFault } from "./fault.ts";
import { flushTransient, KEY_TIMEOUT_MS, type Tpm2Session } from "./tpm2-tools.ts";

/** TCG EK Credential Profile: where an RSA 2048 endorsement key is kept, if at all. */
export const DEFAULT_EK_HANDLE = 0x81010001;
/** Free for use in the range of the endorsement hierarchy. */
export const DEFAULT_AK_HANDLE = 0x81018100;
/** TCG EK Credential Profile: the certificate of the RSA 2048 key. */
const EK_CERTIFICATE_INDEX = "0x01c00002";
const MAX_CERTIFICATE_BYTES = 16_384;

export interface TpmKeys {
  ekHandle: string;
  akHandle: string;
  ek: TpmPublic;
  ak: TpmPublic;
  akName: Bytes;
  /** X.509, DER; null where the TPM holds none. */
  ekCertificate: Bytes | null;
}

export interface KeyHandles {
  ekHandle?: number;
  akHandle?: number;
}

/** Throws NodeError where a handle is taken by another key or the TPM refuses. */
export async function findOrCreateKeys(session: Tpm2Session, handles: KeyHandles = {}): Promise<TpmKeys> {
  const ekHandle = hex(handles.ekHandle ?? DEFAULT_EK_HANDLE);
  const akHandle = hex(handles.akHandle ?? DEFAULT_AK_HANDLE);
  if (!(await isTaken(session, ekHandle))) await createEk(session, ekHandle);
  const ek = await readKey(session, ekHandle);
  if (ek === null || ek.kind !== "rsa" || !isEndorsementKey(ek)) {
    throw foreign(ekHandle, "no RSA endorsement key of the common template", "BLF_TPM_EK_HANDLE");
  }
  if (!(await isTaken(session, akHandle))) await createAk(session, ekHandle, akHandle);
  const ak = await readKey(session, akHandle);
  if (ak === null || !isAttestationKey(ak) || !(await isUnder(session, ek, ak))) {
    throw foreign(akHandle, "no attestation key under the endorsement key", "BLF_TPM_AK_HANDLE");
  }
  const ekCertificate = await readCertificate(session);
  return { ekHandle, akHandle, ek, ak, akName: await nameOf(ak), ekCertificate };
}

async function isTaken(session: Tpm2Session, handle: string): Promise<boolean> {
  const listed = await session.run("tpm2_getcap", ["handles-persistent"]);
  return [...listed.matchAll(/0x[0-9a-fA-F]+/g)].some(([found]) => Number(found) === Number(handle));
}

async function createEk(session: Tpm2Session, handle: string): Promise<void> {
  try {
    await session.run("tpm2_createek", ["-c", handle, "-G", "rsa", "-u", "ek-created.pub"], KEY_TIMEOUT_MS);
  } catch (error) {
    // Another process may have been faster.
    if (!(await isTaken(session, handle))) throw error;
  }
  await flushTransient(session);
}

async function createAk(session: Tpm2Session, ekHandle: string, handle: string): Promise<void> {
  const key = ["-G", "ecc", "-g", "sha256", "-s", "ecdsa"];
  await session.run("tpm2_createak", ["-C", ekHandle, "-c", "ak.ctx", ...key], KEY_TIMEOUT_MS);
  await flushTransient(session);
  try {
    await session.run("tpm2_evictcontrol", ["-C", "o", "-c", "ak.ctx", handle]);
  } catch (error) {
    if (!(await isTaken(session, handle))) throw error;
  }
  await flushTransient(session);
}

/** Null for a key of a kind that ours are not. Its qualified name is left in `key.qname`. */
async function readKey(session: Tpm2Session, handle: string): Promise<TpmPublic | null> {
  await session.run("tpm2_readpublic", ["-c", handle, "-o", "key.pub", "-q", "key.qname"]);
  try {
    return parsePublic(unsizedPublic(await session.read("key.pub")));
  } catch (error) {
    if (error instanceof MalformedEvidence) return null;
    throw error;
  }
}

async function isUnder(session: Tpm2Session, ek: TpmPublic, ak: TpmPublic): Promise<boolean> {
  return equal(await session.read("key.qname"), await qualifiedNameUnder(ek, ak));
}

async function readCertificate(session: Tpm2Session): Promise<Bytes | null> {
  const read = await session.attempt("tpm2_nvread", ["-C", "o", "-o", "ek.crt", EK_CERTIFICATE_INDEX]);
  return read === null ? null : trimDer(await session.read("ek.crt"));
}

/** The index may be longer than the certificate in it; null where it holds none. */
export function trimDer(bytes: Bytes): Bytes | null {
  // SEQUENCE with a length of two bytes, as every certificate has.
  if (bytes[0] !== 0x30 || bytes[1] !== 0x82) return null;
  const length = 4 + (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0);
  return length <= bytes.length && length <= MAX_CERTIFICATE_BYTES ? bytes.slice(0, length) : null;
}

function foreign(handle: string, what: string, setting: string) {
  return attestationFault(
    `the TPM's handle ${handle} holds ${what}`,
    `It is another program's key and stays. Give the sidecar a handle of its own with ${setting}, such as 0x81010100.`,
  );
}

function hex(handle: number): string {
  return `0x${handle.toString(16)}`;
}
