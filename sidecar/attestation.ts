/**
 * The attester as the sidecar starts it: the code that runs is hashed first, and a TPM is told of it. Hardware that cannot
 * attest stops the start; the mock needs nothing of it.
 */
import { hexToBytes } from "viem/utils";
import type { Attester } from "../core/attestation/attester.ts";
import { NodeError, toFailure } from "../core/errors.ts";
import type { Log } from "../core/ports.ts";
import type { SidecarHostSettings } from "../core/settings/sidecar.ts";
import { createAttester } from "./attestation/attesters.ts";
import { hashRuntime } from "./attestation/runtime-hash.ts";
import type { TpmAttester } from "./attestation/tpm.ts";

export interface Attestation {
  attester: Attester;
  /** 64 hex digits; empty where the mock attests and the code could not be hashed. */
  runtimeHash: string;
  /** The TPM's attester, where a TPM attests. */
  tpm: TpmAttester | null;
}

export async function openAttestation(parts: {
  settings: SidecarHostSettings;
  /** The sidecar's, 64 hex digits. */
  publicKey: string;
  packageRoot: string;
  log: Log;
}): Promise<Attestation> {
  const { settings, publicKey, packageRoot, log } = parts;
  const { backend, mockKey } = settings.node.attestation;
  const runtimeHash = await hashRuntime(packageRoot).then(
    ({ hash }) => hash,
    (error: unknown) => {
      if (backend !== "mock") throw error;
      log("warn", "runtime.not-hashed", { reason: toFailure(error).message });
      return "";
    },
  );
  const sidecarKey = hexToBytes(`0x${publicKey}`);
  const attester = createAttester(backend, {
    host: { chainId: settings.node.cofhe.chainId, runtimeHash, sidecarKey },
    tpm: { ...settings.tpm, log },
    ...(mockKey === undefined ? {} : { mockKey }),
  });
  const tpm = isTpm(attester) ? attester : null;
  if (tpm !== null) await measure(tpm, log);
  return { attester, runtimeHash, tpm };
}

/** A TPM that is busy now may answer when it is asked for a quote; one that is not there never will. */
async function measure(attester: TpmAttester, log: Log): Promise<void> {
  try {
    const alone = await attester.measureRuntime();
    log(alone ? "info" : "warn", "runtime.measured", {
      reason: alone ? undefined : "the PCR holds something else too: restart the machine before attesting",
    });
  } catch (error) {
    if (!(error instanceof NodeError) || error.retry === "never") throw error;
    log("warn", "runtime.not-measured", { reason: error.message });
  }
}

function isTpm(attester: Attester): attester is TpmAttester {
  return "measureRuntime" in attester;
}
