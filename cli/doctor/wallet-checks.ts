/**
 * Opens what this machine holds, as far as it can be opened: without the password the checks go on with what the files say
 * of themselves. Says whose address it is, and where a file may be read by others.
 */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { Address } from "viem";
import type { SidecarSettings } from "../../core/settings/build.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { createSidecarSigner } from "../../core/sidecar/remote-signer.ts";
import { localSigner, type Signer } from "../../core/signer.ts";
import type { Environment } from "../environment.ts";
import { readLeniently } from "../lenient-settings.ts";
import { addressOf, readKeystore } from "../wallet/keystore.ts";
import { secretNames } from "../wallet/secrets-file.ts";
import { type Finding, failed, failure, fine, warning } from "./finding.ts";
import { sidecarClientOf } from "./sidecar-checks.ts";

export interface Opened {
  /** What the Worker would be given; without the secrets that could not be opened. */
  bindings: Record<string, string>;
  /** Names that are known to be there and stayed closed. */
  closed: readonly string[];
  signers: readonly Signer[];
  addresses: readonly Address[];
  findings: Finding[];
}

export async function openWallet(env: Environment): Promise<Opened> {
  const open = await files([env.keystorePath, env.secretsPath, env.envFile]);
  try {
    const bindings = await env.forWorker();
    const { sidecar } = readLeniently(bindings).settings;
    if (sidecar !== null) return remote(bindings, sidecar, open);
    const { settings } = readSettings({ ...SUFFICIENT, BLF_PRIVATE_KEY: bindings.BLF_PRIVATE_KEY });
    const signers = settings?.privateKeys.map(localSigner) ?? [];
    const addresses = signers.map(({ address }) => address);
    const findings = [...addresses.map((address) => fine("wallet", `${address} can be opened`)), ...open];
    if (addresses.length === 0) findings.unshift(noWallet(bindings.BLF_PRIVATE_KEY !== undefined));
    return { bindings, closed: [], signers, addresses, findings };
  } catch (error) {
    return { ...(await closedWallet(env)), findings: [...(await closedFindings(env, error)), ...open] };
  }
}

/** The key is the sidecar's, and signs what has to be signed here, too. */
function remote(bindings: Record<string, string>, sidecar: SidecarSettings, open: Finding[]): Opened {
  const client = sidecarClientOf(sidecar);
  const signers = client === null ? [] : sidecar.nodes.map((node) => createSidecarSigner(client, node));
  const findings = sidecar.nodes.map((node) => fine("wallet", `${node} by BLF_NODE_ADDRESS; the sidecar has its key`));
  return { bindings, closed: [], signers, addresses: sidecar.nodes, findings: [...findings, ...open] };
}

/** With these only the key decides whether the settings can be read. */
const SUFFICIENT = { BLF_RPC_URL: "http://127.0.0.1:1", BLF_ROLES: "verifier", BLF_MODELS: "mock:none" };

function noWallet(given: boolean): Finding {
  return given
    ? failure(
        "wallet",
        "BLF_PRIVATE_KEY holds no private key",
        "Set it to 64 hex digits, or remove it for the keystore.",
      )
    : failure("wallet", "there is no keystore and no BLF_PRIVATE_KEY", "Run `blindference-edge init`.");
}

async function closedWallet(env: Environment) {
  const address = await named(env);
  const secrets = await secretNames(env.secretsPath).catch(() => []);
  return {
    bindings: env.bindings(),
    closed: [...secrets, ...(existsSync(env.keystorePath) ? ["BLF_PRIVATE_KEY"] : [])],
    signers: [],
    addresses: address === null ? [] : [address],
  };
}

async function closedFindings(env: Environment, error: unknown): Promise<Finding[]> {
  const address = await named(env);
  const locked = env.get("BLF_KEY_PASSWORD") === undefined && address !== null;
  if (!locked) return [failed("wallet", error)];
  const fix = "Set BLF_KEY_PASSWORD, or run this on a terminal.";
  return [warning("wallet", `${address} by its keystore, which was not opened: there is no password here`, fix)];
}

async function named(env: Environment): Promise<Address | null> {
  try {
    const address = addressOf(await readKeystore(env.keystorePath), env.keystorePath);
    return address as Address | null;
  } catch {
    return null;
  }
}

async function files(paths: readonly string[]): Promise<Finding[]> {
  const found = paths.filter((path) => existsSync(path));
  const modes = await Promise.all(found.map((path) => stat(path)));
  return found.flatMap((path, index) =>
    ((modes[index]?.mode ?? 0) & 0o077) === 0
      ? []
      : [warning("files", `${path} can be read by others on this machine`, `Run chmod 600 ${path}.`)],
  );
}
