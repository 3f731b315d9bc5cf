/**
 * The TPM 2.0 attester: keys, one quote over the boot's PCRs and the runtime's, the firmware's event log beside it. Every quote is
 * verified here before it leaves, as a coordinator would, so that a fault shows up where it can be mended. What it proves and
 * what not: docs/design/trust.md.
 */
import { readFile } from "node:fs/promises";
import { bytesToHex } from "viem/utils";
import type { Attester } from "../../core/attestation/attester.ts";
import { reportData, tpmQualifyingData } from "../../core/attestation/binding.ts";
import { type Bytes, equal } from "../../core/attestation/bytes.ts";
import { encodeEnvelope, MAX_EVENT_LOG_BYTES, type TpmEvidence } from "../../core/attestation/envelope.ts";
import { type Credential, credentialFile } from "../../core/attestation/tpm-credential.ts";
import {
  measuredRuntime,
  QUOTED_PCRS,
  RUNTIME_PCR,
  runtimeMeasurement,
  type TpmExpectation,
  verifyTpmQuote,
} from "../../core/attestation/tpm-verify.ts";
import type { Log } from "../../core/ports.ts";
import { attestationFault, systemCode } from "./fault.ts";
import { claimsFor, type HostClaims } from "./host-claims.ts";
import { findOrCreateKeys, type KeyHandles, type TpmKeys } from "./tpm-keys.ts";
import { createTpm2, flushTransient, type Tpm2Options, type Tpm2Session } from "./tpm2-tools.ts";

/** Where the kernel shows the firmware's log, to root. */
export const DEFAULT_EVENT_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements";
const PCR_LIST = `sha256:${QUOTED_PCRS.join(",")}`;
const DIGEST_BYTES = 32;

export interface TpmOptions extends Tpm2Options, KeyHandles {
  eventLogPath?: string;
  log: Log;
}

export interface TpmAttester extends Attester {
  readonly backendType: "tpm";
  /** Finds or creates the keys, so that the first quote is quick and faults show at the start. */
  keys(): Promise<TpmKeys>;
  /**
   * Extends the runtime's hash into its PCR, unless something is there already: once from start to start of the machine.
   * @returns whether the PCR now holds this runtime and nothing else
   */
  measureRuntime(): Promise<boolean>;
  /** The secret of a credential that was made for this TPM and this key; throws NodeError `settings` where it was not. */
  activate(credential: Credential): Promise<Bytes>;
}

export function createTpmAttester(host: HostClaims, options: TpmOptions): TpmAttester {
  const { log, eventLogPath = DEFAULT_EVENT_LOG } = options;
  const tpm = createTpm2(options);
  let found: TpmKeys | undefined;

  /** Kept as long as they work: a cleared TPM has others. */
  async function withKeys<T>(work: (session: Tpm2Session, keys: TpmKeys) => Promise<T>): Promise<T> {
    return tpm.session(async (session) => {
      found ??= await findOrCreateKeys(session, options);
      try {
        return await work(session, found);
      } catch (error) {
        found = undefined;
        throw error;
      }
    });
  }

  return {
    backendType: "tpm",
    keys: () => withKeys(async (_session, keys) => keys),

    async quote(nonce, binding) {
      const claims = claimsFor(host, binding);
      const qualifyingData = await tpmQualifyingData(await reportData(claims, nonce));
      const eventLog = await readEventLog(eventLogPath, log);
      const quoted = await withKeys((session, keys) => quote(session, keys, qualifyingData));
      const expected = { qualifyingData, pcrs: QUOTED_PCRS, runtimeHash: host.runtimeHash };
      const tpmEvidence = await checked({ ...quoted, eventLog }, expected, log);
      const envelope = encodeEnvelope({ claims, evidence: { backend: "tpm", tpm: tpmEvidence } });
      return { quote: envelope, runtimeHash: host.runtimeHash };
    },

    measureRuntime: () => tpm.session((session) => measureRuntime(session, host.runtimeHash)),
    activate: (credential) => withKeys((session, keys) => activate(session, keys, credential)),
  };
}

async function quote(session: Tpm2Session, keys: TpmKeys, data: Bytes): Promise<Omit<TpmEvidence, "eventLog">> {
  const out = ["-m", "attest", "-s", "signature", "-o", "pcrs", "-F", "values"];
  const asked = ["-l", PCR_LIST, "-q", bytesToHex(data).slice(2), "-g", "sha256"];
  await session.run("tpm2_quote", ["-c", keys.akHandle, ...asked, ...out]);
  const values = await session.read("pcrs");
  if (values.length !== QUOTED_PCRS.length * DIGEST_BYTES) throw noBank();
  const pcrs = QUOTED_PCRS.map((pcr, at) => [pcr, values.slice(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES)] as const);
  return {
    attest: await session.read("attest"),
    signature: await session.read("signature"),
    akPublic: keys.ak.encoded,
    ekPublic: keys.ek.encoded,
    ekCertificate: keys.ekCertificate,
    pcrs: new Map(pcrs),
  };
}

/** A log that does not lead to the PCRs proves nothing and would have the whole quote refused: it is left out, loudly. */
async function checked(evidence: TpmEvidence, expected: TpmExpectation, log: Log): Promise<TpmEvidence> {
  const verified = await verifyTpmQuote(evidence, expected);
  if (verified.ok) return evidence;
  const withoutLog = { ...evidence, eventLog: null };
  if (evidence.eventLog !== null && (await verifyTpmQuote(withoutLog, expected)).ok) {
    log("warn", "attestation.event-log-unusable", { reason: verified.refusal.message });
    return withoutLog;
  }
  throw attestationFault(
    `the TPM's own quote does not verify: ${verified.refusal.message}`,
    "A PCR may have changed meanwhile. If it stays so, report it with the TPM's maker and firmware (tpm2_getcap properties-fixed).",
    "later",
  );
}

async function readEventLog(path: string, log: Log): Promise<Bytes | null> {
  const read = await readFile(path).catch((error: unknown) => systemCode(error) ?? "unreadable");
  if (typeof read === "string") {
    log("info", "attestation.no-event-log", { path, reason: read });
    return null;
  }
  if (read.length > 0 && read.length <= MAX_EVENT_LOG_BYTES) return Uint8Array.from(read);
  log("warn", "attestation.no-event-log", { path, reason: `${read.length} bytes` });
  return null;
}

async function measureRuntime(session: Tpm2Session, runtimeHash: string): Promise<boolean> {
  const measurement = await runtimeMeasurement(runtimeHash);
  if ((await readPcr(session)).every((byte) => byte === 0)) {
    await session.run("tpm2_pcrextend", [`${RUNTIME_PCR}:sha256=${bytesToHex(measurement).slice(2)}`]);
  }
  return equal(await readPcr(session), await measuredRuntime(runtimeHash));
}

async function readPcr(session: Tpm2Session): Promise<Bytes> {
  await session.run("tpm2_pcrread", [`sha256:${RUNTIME_PCR}`, "-o", "pcr"]);
  const value = await session.read("pcr");
  if (value.length !== DIGEST_BYTES) throw noBank();
  return value;
}

/** The endorsement key of the common template asks for a policy session under the endorsement hierarchy. */
async function activate(session: Tpm2Session, keys: TpmKeys, credential: Credential): Promise<Bytes> {
  await session.write("credential", credentialFile(credential));
  try {
    await session.run("tpm2_startauthsession", ["--policy-session", "-S", "policy"]);
    await session.run("tpm2_policysecret", ["-S", "policy", "-c", "e"]);
    const key = ["-c", keys.akHandle, "-C", keys.ekHandle, "-P", "session:policy"];
    await session.run("tpm2_activatecredential", [...key, "-i", "credential", "-o", "secret"]);
    return await session.read("secret");
  } finally {
    await session.attempt("tpm2_flushcontext", ["policy"]);
    await flushTransient(session);
  }
}

function noBank() {
  return attestationFault(
    "the TPM's SHA-256 bank of PCRs is not active",
    "Activate it in the firmware's set-up, or with tpm2_pcrallocate sha256:all and a restart.",
  );
}
