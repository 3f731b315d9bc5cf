/**
 * All that can be wrong before it costs anything. The checks run side by side, each under a time limit; what they found
 * comes in a fixed order, whoever answered first. What depends on a setting that is absent or at fault is left to the
 * finding about that setting.
 */
import type { Address } from "viem";
import { DEVNET } from "../../core/chain/addresses.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { backendOf } from "../../core/settings/model.ts";
import { localSigner } from "../../core/signer.ts";
import { type LenientSettings, readLeniently } from "../lenient-settings.ts";
import type { NodeApi } from "../node-api.ts";
import { newPrivateKey } from "../wallet/keystore.ts";
import { checkAccount, checkContracts } from "./chain-checks.ts";
import { type Finding, failure, fine, warning } from "./finding.ts";
import { checkCofhe, checkCoordinator } from "./network-checks.ts";
import { checkNode } from "./node-checks.ts";
import { checkGateway, checkGemini, checkGroq, checkPinning, checkRpc, checkServer } from "./services.ts";
import { checkSidecar } from "./sidecar-checks.ts";
import type { Opened } from "./wallet-checks.ts";

/** Longer than any check's own limits together. */
const CHECK_LIMIT_MS = 60_000;

export interface Subject {
  opened: Opened;
  api: NodeApi;
  limitMs?: number;
}

type Check = [name: string, work: () => Promise<readonly (Finding | null)[]>];

export async function examine({ opened, api, limitMs = CHECK_LIMIT_MS }: Subject): Promise<Finding[]> {
  const lenient = readLeniently(opened.bindings);
  const checks: Check[] = [
    ["settings", async () => settingsFindings(lenient, opened.closed)],
    ["wallet", async () => [...opened.findings, ...leftClosed(opened.closed)]],
    ...chainChecks(lenient, opened),
    ...coordinatorChecks(lenient, opened),
    ...backendChecks(lenient, opened.closed),
    ...ipfsChecks(lenient, opened.closed),
    ["cofhe", () => checkCofhe(lenient.settings.cofhe)],
    ["sidecar", () => checkSidecar(lenient.settings)],
    ["node", () => checkNode(api)],
  ];
  const found = await Promise.all(checks.map((check) => limited(check, limitMs)));
  return found.flat().filter((finding) => finding !== null);
}

async function limited([name, work]: Check, limitMs: number): Promise<readonly (Finding | null)[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding[]>((resolve) => {
    const finding = failure(name, `no end within ${limitMs / 1000} s`, "Try again; if it stays so, check the service.");
    timer = setTimeout(() => resolve([finding]), limitMs);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function settingsFindings({ faults }: LenientSettings, closed: readonly string[]): Finding[] {
  // What is missing here may well be in a file that was not opened.
  const mayBeThere = (setting: string, code: string) =>
    closed.includes(setting) ||
    (closed.length > 0 && ["no-model", "conflict"].includes(code) && setting === "BLF_MODELS");
  const findings = faults
    .filter(({ setting, code }) => !(["missing", "no-model", "conflict"].includes(code) && mayBeThere(setting, code)))
    .map(({ severity, message, fix }) => {
      const detail = message.replace(/\.$/, "");
      return severity === "fault" ? failure("settings", detail, fix) : warning("settings", detail, fix);
    });
  return findings.length > 0 ? findings : [fine("settings", "nothing is at fault")];
}

function leftClosed(closed: readonly string[]): Finding[] {
  const secrets = closed.filter((name) => name !== "BLF_PRIVATE_KEY");
  if (secrets.length === 0) return [];
  const detail = `${secrets.join(", ")} stayed closed, so what needs them was not tried`;
  return [warning("secrets", detail, "Set BLF_KEY_PASSWORD, or run this on a terminal.")];
}

function chainChecks({ settings }: LenientSettings, { addresses }: Opened): Check[] {
  const { rpcUrls, contracts } = settings;
  const { chainId } = settings.cofhe;
  if (rpcUrls.length === 0) return [];
  const client = createChainClient({ rpcUrls, chainId });
  const nowSec = async () =>
    chainId === DEVNET ? Number((await client.getBlock()).timestamp) : Math.floor(Date.now() / 1000);
  const work = async (): Promise<Finding[]> => {
    const rpcs = await Promise.all(rpcUrls.map((url) => checkRpc(url, chainId, chainId !== DEVNET)));
    // Without any that answers, all that follows would only say so again.
    if (rpcs.every(({ status }) => status === "failure")) return rpcs;
    const now = await nowSec().catch(() => Math.floor(Date.now() / 1000));
    const rest = await Promise.all([
      checkContracts(client, contracts),
      ...addresses.map(async (address: Address) =>
        named(await checkAccount(client, contracts, address, now), address, addresses.length),
      ),
    ]);
    return [...rpcs, ...rest.flat()];
  };
  return [["rpc", work]];
}

/** Which node is meant, where there are several. */
function named(findings: readonly Finding[], address: string, count: number): Finding[] {
  if (count === 1) return [...findings];
  return findings.map((finding) => ({ ...finding, detail: `${address}: ${finding.detail}` }));
}

function coordinatorChecks({ settings, unusable }: LenientSettings, { signers }: Opened): Check[] {
  if (unusable("BLF_ICL_ENDPOINT")) return [];
  // Any key will do for calls that are about no node in particular.
  const [first = localSigner(newPrivateKey())] = signers;
  return [["coordinator", () => checkCoordinator(settings.iclEndpoint, first, signers.length > 0)]];
}

function backendChecks({ settings, unusable }: LenientSettings, closed: readonly string[]): Check[] {
  const { groq, gemini, openai } = settings.backends;
  const of = (backend: string) => settings.models.filter((id) => backendOf(id) === backend);
  const checks: Check[] = [];
  if (groq !== undefined && !unusable("GROQ_BASE_URL")) {
    checks.push(["backend", async () => [await checkGroq(groq, of("groq"))]]);
  }
  if (gemini !== undefined && !unusable("GEMINI_BASE_URL")) {
    checks.push(["backend", async () => [await checkGemini(gemini, of("gemini"))]]);
  }
  if (openai !== undefined && !unusable("OPENAI_API_KEY") && !closed.includes("OPENAI_API_KEY")) {
    checks.push(["backend", async () => [await checkServer(openai, of("openai"))]]);
  }
  const mocks = of("mock");
  if (mocks.length > 0) {
    const detail = `${mocks.join(", ")} makes answers up, which no quorum of the public network confirms`;
    checks.push([
      "backend",
      async () => [
        settings.cofhe.chainId === DEVNET
          ? fine("backend", `${mocks.join(", ")} runs anywhere`)
          : warning("backend", detail, "Remove it from BLF_MODELS outside of a devnet."),
      ],
    ]);
  }
  return checks;
}

function ipfsChecks({ settings, unusable }: LenientSettings, closed: readonly string[]): Check[] {
  const { pinataJwt, pinataApiUrl, gatewayUrl } = settings.ipfs;
  const checks: Check[] = [];
  if (pinataJwt !== undefined && !unusable("PINATA_API_URL")) {
    checks.push(["ipfs up", async () => [await checkPinning(pinataApiUrl, pinataJwt)]]);
  } else if (pinataJwt === undefined && !settings.roles.includes("leader") && !closed.includes("PINATA_JWT")) {
    checks.push(["ipfs up", async () => [fine("ipfs up", "not needed: a verifier pins nothing")]]);
  }
  if (!unusable("PINATA_GATEWAY_URL")) checks.push(["ipfs down", async () => [await checkGateway(gatewayUrl)]]);
  return checks;
}
