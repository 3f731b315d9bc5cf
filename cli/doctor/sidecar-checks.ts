/**
 * The sidecar as the Worker would meet it: asked with the Worker's own key, believed only with the sidecar's signature.
 * Without the keys it is only asked whether it is up. Sends no secret.
 */
import { systemClock, systemRandom } from "../../core/ports.ts";
import type { SidecarSettings } from "../../core/settings/build.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { createSidecarClient, type SidecarClient } from "../../core/sidecar/client.ts";
import type { Capabilities } from "../../core/sidecar/wire.ts";
import { VERSION } from "../../core/version.ts";
import { type Finding, failed, failure, fine, warning } from "./finding.ts";
import { checkReach } from "./network-checks.ts";

/** Null where a setting is missing, which its own finding says. Throws NodeError for one that cannot be used. */
export function sidecarClientOf({ url, key, sidecarKeys, access }: SidecarSettings): SidecarClient | null {
  if (url === "" || key.id === "" || key.seed.reveal() === "" || sidecarKeys.length === 0) return null;
  return createSidecarClient({
    url,
    key,
    sidecarKeys,
    ...(access === undefined ? {} : { access }),
    fetch: (...args) => fetch(...args),
    clock: systemClock,
    random: systemRandom,
  });
}

/** Nothing in edge mode, which has no sidecar. */
export async function checkSidecar(settings: Settings): Promise<Finding[]> {
  const { sidecar } = settings;
  if (sidecar === null) return [];
  if (sidecar.url === "") return [failure("sidecar", "BLF_SIDECAR_URL is not set", "Set it to the sidecar's URL.")];
  const up = await checkReach("sidecar", `${sidecar.url}/v1/healthz`);
  if (up.status !== "ok") return [up];
  try {
    const client = sidecarClientOf(sidecar);
    if (client === null) return [up];
    return findingsOf(await client.capabilities(), settings, sidecar);
  } catch (error) {
    return [failed("sidecar", error)];
  }
}

function findingsOf(can: Capabilities, settings: Settings, { url, nodes }: SidecarSettings): Finding[] {
  const { slots, free } = can.capacity;
  const models = can.models.map(({ id }) => id);
  const findings = [
    fine("sidecar", `${new URL(url).host} is ${can.version}, ${free} of ${slots} slots free, ${gpus(can)}`),
    ...nodes
      .filter((node) => !can.nodes.includes(node))
      .map((node) =>
        failure(
          "sidecar",
          `it does not hold the key of ${node}`,
          "Set BLF_NODE_ADDRESS to an address of its own, or give it this node's key.",
        ),
      ),
  ];
  const lacking = settings.models.filter((id) => !models.includes(id));
  if (models.length === 0) {
    findings.push(failure("sidecar", "it can run no model now", "Look at its log; start the model's server."));
  } else if (lacking.length > 0) {
    const fix = "Add them to the sidecar, or remove them from BLF_MODELS of the Worker.";
    findings.push(warning("sidecar", `it does not have ${lacking.join(", ")}`, fix));
  } else findings.push(fine("sidecar", `it runs ${models.join(", ")}`));
  if (can.attestation !== settings.attestation.backend) {
    const detail = `it attests as ${can.attestation}, and the Worker's BLF_ATTESTATION_BACKEND is ${settings.attestation.backend}`;
    findings.push(failure("sidecar", detail, "Set BLF_ATTESTATION_BACKEND to the same on both sides."));
  }
  if (settings.roles.includes("leader") && !can.encryptsOutputKeys) {
    const detail = "it cannot encrypt output keys on this chain, so leaders' jobs are left alone";
    findings.push(warning("sidecar", detail, "Set BLF_ROLES=verifier to say so."));
  }
  if (can.version !== VERSION) {
    const detail = `it is version ${can.version}, this command ${VERSION}`;
    findings.push(warning("sidecar", detail, "Bring the Worker, the sidecar and this command to the same version."));
  }
  return findings;
}

function gpus({ gpus: found }: Capabilities): string {
  if (found === null) return "GPUs unknown";
  if (found.length === 0) return "no GPU";
  return found.map(({ name, memoryMiB }) => `${name} (${Math.round(memoryMiB / 1024)} GiB)`).join(", ");
}
