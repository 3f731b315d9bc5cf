/** Rules across the settings that the sidecar shares with the Worker, where the two differ. */
import type { Rule } from "./findings.ts";
import { models as workerModels } from "./rules-models.ts";

export const account: Rule = ({ values, faulty }, { fault }) => {
  if (values.BLF_PRIVATE_KEY !== undefined || faulty("BLF_PRIVATE_KEY")) return;
  const message = "The sidecar has no account: neither BLF_PRIVATE_KEY nor a keystore was given.";
  const fix =
    "Start it with `blindference-edge sidecar`, which opens the keystore (BLF_KEYSTORE, BLF_KEY_PASSWORD), or set BLF_PRIVATE_KEY.";
  fault("BLF_PRIVATE_KEY", "missing", message, fix);
};

/** With custom backends, which models can run is known only once those are loaded; the start checks it then. */
export function models(customBackends: string): Rule {
  return customBackends === "" ? workerModels : () => undefined;
}

/** What each backend can show for itself. */
const TIERS = { mock: 0, tpm: 1, sev: 2, tdx: 2 } as const;

export const tier: Rule = ({ values }, { warning }) => {
  const backend = values.BLF_ATTESTATION_BACKEND;
  if (values.BLF_TIER <= TIERS[backend]) return;
  const message = `BLF_TIER is ${values.BLF_TIER}, but ${backend} attests tier ${TIERS[backend]}; the node's tier will be the coordinator's if that is lower.`;
  warning("BLF_TIER", "conflict", message, `Set BLF_TIER to ${TIERS[backend]}, or attest by better means.`);
};
