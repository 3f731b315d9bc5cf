/** The first attestation of a deployed node. Without BLF_ADMIN_TOKEN it is left to the node, which does it by itself. */
import type { Environment } from "../environment.ts";
import { CliError } from "../errors.ts";
import type { Io } from "../io.ts";
import { commandAnswer } from "../node/shapes.ts";
import type { NodeApi } from "../node-api.ts";

export type AttestOutcome = "attested" | "left to the node";

/** Throws CliError (`failed`) with the reason of each node that could not. */
export async function attest(
  api: Pick<NodeApi, "send">,
  env: Pick<Environment, "secret">,
  io: Pick<Io, "note" | "progress">,
): Promise<AttestOutcome> {
  if ((await env.secret("BLF_ADMIN_TOKEN")) === null) {
    io.note("Attesting is left to the node, which does it within a minute: BLF_ADMIN_TOKEN is not set.");
    return "left to the node";
  }
  const { nodes } = await io.progress(
    "Attesting",
    () => api.send("POST", "/api/attest", {}, commandAnswer),
    (answer) => (answer.nodes.every(({ ok }) => ok) ? "Attested with the coordinator" : "Not every node is attested"),
  );
  const failed = nodes.filter(({ ok }) => !ok);
  if (failed.length === 0) return "attested";
  const reasons = failed.map(({ node, failure }) => `${node}: ${failure?.message ?? "no reason given"}`);
  const [first] = failed;
  throw new CliError(`The node is deployed and runs, but is not attested yet. ${reasons.join(" ")}`, {
    fix: `${first?.failure?.hint ?? "See `blindference-edge status`."} The node tries again by itself.`,
  });
}
