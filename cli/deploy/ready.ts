/**
 * Waits until the deployed node answers at its address with the version that was uploaded and no faulty setting. A new
 * workers.dev name takes a while, and for some seconds older copies still answer: neither is taken for the end.
 */
import type { Clock } from "../../core/ports.ts";
import { CliError } from "../errors.ts";
import type { NodeApi } from "../node-api.ts";

export interface Patience {
  clock: Clock;
  signal: AbortSignal;
  /** How long an address may take to answer at all. */
  answerMs?: number;
  /** How long faults are taken for those of an older copy. */
  faultsMs?: number;
}

const EVERY_MS = 2_000;
const ANSWER_MS = 180_000;
const FAULTS_MS = 30_000;

/** Throws CliError: `unreachable`, or `failed` with the codes of /healthz. */
export async function waitUntilReady(
  api: Pick<NodeApi, "url" | "health">,
  version: string,
  patience: Patience,
  say: (now: string) => void,
): Promise<void> {
  const { clock, signal, answerMs = ANSWER_MS, faultsMs = FAULTS_MS } = patience;
  const since = clock.now();
  let faultsSince: number | null = null;
  let last = "";
  for (;;) {
    const health = await api.health();
    if (health?.version === version && health.status === "ok") return;
    const faults = health?.version === version ? health.codes : null;
    faultsSince = faults === null ? null : (faultsSince ?? clock.now());
    if (faults !== null && faultsSince !== null && clock.now() - faultsSince >= faultsMs) throw faulty(api.url, faults);
    if (clock.now() - since >= answerMs) throw silent(api.url, health?.version ?? null, version);
    const now =
      health === null
        ? "no answer yet"
        : faults === null
          ? `version ${health.version} still answers`
          : "a setting is at fault";
    if (now !== last) say(now);
    last = now;
    await clock.sleep(EVERY_MS, signal);
  }
}

function faulty(url: string, codes: readonly { setting: string; code: string }[]): CliError {
  const list = codes.map(({ setting, code }) => `${setting} (${code})`).join(", ");
  return new CliError(`The node at ${url} runs but claims nothing: ${list || "a setting is at fault"}.`, {
    fix: "Set these, then deploy again; GET /api/settings of the node says what is wrong with each.",
  });
}

function silent(url: string, found: string | null, wanted: string): CliError {
  if (found !== null) {
    return new CliError(`Version ${wanted} was uploaded, but ${url} still answers with ${found}.`, {
      fix: `Check that ${url} leads to this Worker.`,
    });
  }
  return new CliError(`The Worker was uploaded, but ${url} does not answer yet.`, {
    fix: `A new address can take some minutes: try \`blindference-edge status --url ${url}\`, or run this again.`,
    exit: "unreachable",
  });
}
