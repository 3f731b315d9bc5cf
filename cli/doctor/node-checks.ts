/**
 * The running or deployed node as it speaks of itself: whether it answers, its version against this command's, its
 * certificate, and what holds it. That no node runs yet is a warning, unless one was named.
 */
import { inWords } from "../../core/chain/duration.ts";
import { VERSION } from "../../core/version.ts";
import { CliError } from "../errors.ts";
import { short } from "../format.ts";
import { type NodeStatus, statusAnswer } from "../node/shapes.ts";
import type { NodeApi } from "../node-api.ts";
import { type Finding, failed, failure, fine, warning } from "./finding.ts";

/** The node renews a certificate that has less left; see docs/operate/attestation.md. */
const RENEWED_BELOW_SEC = 6 * 3600;
const SEE_LOGS = "Look at `blindference-edge logs`.";
const STARTING = "Start one with `blindference-edge run` or `blindference-edge deploy`, or name it with --url.";

export async function checkNode(api: NodeApi): Promise<Finding[]> {
  const health = await api.health().catch((error: unknown) => failed("node", error));
  if (health !== null && "check" in health) return [health];
  if (health === null) {
    const detail = `no node answers at ${api.url}`;
    return [
      api.chosenBy === "default"
        ? warning("node", detail, STARTING)
        : failure("node", detail, `Check ${api.chosenBy}, and that the node runs there.`),
    ];
  }
  const first =
    health.status === "ok"
      ? fine("node", `${api.url} is up`)
      : failure(
          "node",
          `${api.url} is up and claims nothing: ${health.codes.map(({ setting, code }) => `${setting} ${code}`).join(", ") || health.status}`,
          "Correct these settings of the node, then restart or deploy it again.",
        );
  return [first, version(health.version), ...(await inside(api))];
}

function version(running: string): Finding {
  if (running === VERSION) return fine("version", `the node and this command are ${VERSION}`);
  return warning(
    "version",
    `the node is ${running}, this command ${VERSION}`,
    "Update the older one; a deployment with `blindference-edge deploy`.",
  );
}

async function inside(api: NodeApi): Promise<Finding[]> {
  try {
    const { nodes } = await api.get("/api/status", statusAnswer);
    return nodes.flatMap((node) =>
      [certificate(node), ...holds(node), ...lastError(node)].filter((finding) => finding !== null),
    );
  } catch (error) {
    // A locked secrets file, or a node of somebody else's: what it says of itself stays unknown.
    if (error instanceof CliError && error.exit === "usage") {
      return [
        warning(
          "certificate",
          `not looked at: ${error.message.replace(/\.$/, "")}`,
          error.fix ?? "Set BLF_ADMIN_TOKEN.",
        ),
      ];
    }
    return [failed("certificate", error)];
  }
}

/** Null where the node, being of another version, says nothing of it. */
function certificate({ certificate: held, address }: NodeStatus): Finding | null {
  if (held === undefined) return null;
  if (held === null) {
    return warning(
      "certificate",
      `${short(address)} has none yet`,
      "It attests by itself; `blindference-edge attest` does so now.",
    );
  }
  if (held.secondsLeft <= 0) {
    return failure(
      "certificate",
      `${short(address)}'s has run out`,
      "Run `blindference-edge attest` to see why it is not renewed.",
    );
  }
  const detail = `${short(address)}'s is good for ${inWords(Math.floor(held.secondsLeft))}`;
  if (held.secondsLeft >= RENEWED_BELOW_SEC) return fine("certificate", detail);
  return warning(
    "certificate",
    `${detail} and should have been renewed`,
    "Run `blindference-edge attest` to see why it was not.",
  );
}

function holds({ holds: held, address, state }: NodeStatus): Finding[] {
  if (held === undefined) return [];
  if (held.length === 0) return [fine("holds", `${short(address)} is ${state}, nothing holds it`)];
  return held.map(({ code, blocks, reason, hint }) => {
    const detail = `${short(address)} is held (${code}): ${reason}`;
    const asked = code === "operator" || code === "drained";
    return blocks === "everything" && !asked
      ? failure("holds", detail, hint ?? SEE_LOGS)
      : warning("holds", detail, hint ?? SEE_LOGS);
  });
}

function lastError({ lastError: error }: NodeStatus): Finding[] {
  return error == null ? [] : [warning("last error", `${error.code}: ${error.message}`, error.hint ?? SEE_LOGS)];
}
