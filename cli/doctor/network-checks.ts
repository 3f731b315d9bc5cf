/** The coordinator and its clock, CoFHE's services: whether they answer this machine. Sends no secret. */
import { DEVNET } from "../../core/chain/addresses.ts";
import { requestText } from "../../core/http.ts";
import { createIclClient } from "../../core/icl/client.ts";
import { systemClock } from "../../core/ports.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Signer } from "../../core/signer.ts";
import { type Finding, failed, failure, fine, warning } from "./finding.ts";

const PORTS = { fetch: (...args: Parameters<typeof fetch>) => fetch(...args), clock: systemClock };
const TIMEOUT_MS = 10_000;
/** A strict coordinator takes timestamps within 60 s. */
const SKEW_WARN_MS = 5_000;
const SKEW_FAIL_MS = 30_000;
const CLOCK_FIX = "Correct this machine's clock (NTP).";

/** @param known whether the signer is the node itself, so that the coordinator may be asked about it */
export async function checkCoordinator(endpoint: string, signer: Signer, known: boolean): Promise<Finding[]> {
  const icl = createIclClient({ ...PORTS, endpoint, signer, timeoutMs: TIMEOUT_MS });
  const { host } = new URL(endpoint);
  try {
    await icl.health();
  } catch (error) {
    return [failed("coordinator", error)];
  }
  const findings = [fine("coordinator", `${host} answers`), clock(icl.clockSkewMs())];
  if (known) findings.push(await membership(() => icl.nodeRecord()));
  return findings;
}

async function membership(ask: () => Promise<{ active?: boolean | null | undefined } | null>): Promise<Finding> {
  try {
    const record = await ask();
    if (record === null) {
      return warning("coordinator", "it does not know this node (yet)", "Start the node: it attests by itself.");
    }
    return record.active === false
      ? warning(
          "coordinator",
          "it knows this node, but not as active",
          "Start the node, or run `blindference-edge attest`.",
        )
      : fine("coordinator", "it knows this node");
  } catch (error) {
    return failed("coordinator", error);
  }
}

function clock(skewMs: number | null): Finding {
  if (skewMs === null)
    return warning("clock", "the coordinator does not tell its time", "Keep this machine's clock right (NTP).");
  const off = Math.abs(skewMs);
  const detail = `${(off / 1000).toFixed(1)} s ${skewMs > 0 ? "behind" : "ahead of"} the coordinator's`;
  if (off >= SKEW_FAIL_MS) return failure("clock", detail, CLOCK_FIX);
  return off >= SKEW_WARN_MS
    ? warning("clock", detail, CLOCK_FIX)
    : fine("clock", `within ${SKEW_WARN_MS / 1000} s of the coordinator's`);
}

/** Any answer will do: what matters is that the services can be reached. On a devnet there are none. */
export async function checkCofhe({ chainId, urls }: Settings["cofhe"]): Promise<Finding[]> {
  if (chainId === DEVNET) return [fine("cofhe", "the devnet's mock contracts stand in for the services")];
  const services: [string, string][] = [
    ["BLF_COFHE_URL", urls.coFheUrl],
    ["BLF_COFHE_VERIFIER_URL", urls.verifierUrl],
    ["BLF_COFHE_TN_URL", urls.thresholdNetworkUrl],
  ];
  return Promise.all(
    services.map(async ([setting, url]) => {
      const { host } = new URL(url);
      try {
        const { status } = await ask(url);
        return status < 500
          ? fine("cofhe", `${host} answers`)
          : warning("cofhe", `${host} answers ${status}`, `Try again later, or check ${setting}.`);
      } catch (error) {
        const { detail } = failed("cofhe", error);
        return failure("cofhe", `${host}: ${detail}`, `Check ${setting}, and this machine's network.`);
      }
    }),
  );
}

/** Whether anything answers there as it should. */
export async function checkReach(name: string, url: string): Promise<Finding> {
  try {
    const { status } = await ask(url);
    if (status === 200) return fine(name, `${new URL(url).host} is up`);
    return failure(name, `${new URL(url).host} answers ${status}`, "See the sidecar's own log.");
  } catch (error) {
    return failed(name, error, "Check BLF_SIDECAR_URL, and that the sidecar runs.");
  }
}

function ask(url: string) {
  return requestText(PORTS.fetch, PORTS.clock, new Request(url), { timeoutMs: TIMEOUT_MS, maxBytes: 1 << 20 });
}
