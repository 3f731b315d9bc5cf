/**
 * Starts the sidecar: everything that can be wrong is looked at before it listens. Stopping lets what runs finish for a
 * while and leaves the rest to the next start. Invariant: when `stop` has settled, nothing of it runs and all is on disk.
 */
import { readFile } from "node:fs/promises";
import { DEVNET } from "../core/chain/addresses.ts";
import { NodeError, toFailure } from "../core/errors.ts";
import { createIpfsDownloader } from "../core/ipfs/download.ts";
import { type Clock, type Fetch, type Log, systemClock, systemRandom } from "../core/ports.ts";
import type { SidecarHostSettings } from "../core/settings/sidecar.ts";
import { publicKeyOf, signingKey, verifyingKey } from "../core/sidecar/keys.ts";
import { createVault } from "../core/vault.ts";
import { VERSION } from "../core/version.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { activateKey } from "./attestation/activate-key.ts";
import type { TpmAttester } from "./attestation/tpm.ts";
import { openAttestation } from "./attestation.ts";
import { createExecutions } from "./executions/executions.ts";
import { createExecutionStore } from "./executions/store.ts";
import { createGpus } from "./gpu.ts";
import { createSidecarApp } from "./http/app.ts";
import { checkListen, isLoopbackHost, type ListenOptions, listenSidecar } from "./http/listen.ts";
import { openNonceStore } from "./http/nonce-store.ts";
import { countingRefusals, createMetrics, type Metrics } from "./metrics.ts";
import { type Models, openModels } from "./models.ts";
import { createOutputKeys } from "./output-keys/output-keys.ts";
import { createOutputKeyStore } from "./output-keys/store.ts";
import { createService } from "./service.ts";
import { openState, type State } from "./state.ts";

export interface StartOptions {
  settings: SidecarHostSettings;
  /** The package's folder: its code is what the attestation speaks of. */
  packageRoot: string;
  log: Log;
  clock?: Clock;
  fetch?: Fetch;
}

export interface Sidecar {
  url: string;
  /** 64 hex digits: what the Worker pins. */
  publicKey: string;
  nodes: readonly string[];
  stop(): Promise<void>;
}

/** Docker kills after ten seconds; what is not done by then starts again at the next start. */
const DRAIN_MS = 7_000;
const CLOSE_MS = 1_500;
const PRUNE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Node's fetch is undici: it keeps connections, and its limits lie beyond those that core sets for each call. */
const platformFetch: Fetch = (input, init) => fetch(input, init);

/** Throws NodeError `settings`, or what the system says about the port. */
export async function startSidecar(options: StartOptions): Promise<Sidecar> {
  const { settings } = options;
  const listen = await listenOptions(settings);
  checkListen(listen);
  const state = openState(settings.stateDir);
  try {
    return await run({ clock: systemClock, fetch: platformFetch, ...options }, state, listen);
  } catch (error) {
    state.close();
    throw error;
  }
}

async function run(options: Required<StartOptions>, state: State, listen: ListenOptions): Promise<Sidecar> {
  const { settings, clock, fetch, packageRoot } = options;
  const metrics = createMetrics(clock.now());
  const log = countingRefusals(options.log, metrics);
  const models = await openModels(settings, { fetch, clock, log });
  const { vault, accounts } = openAccounts({ ...options, log }, state, models);
  const publicKey = await publicKeyOf(settings.signingSeed);
  const { attester, runtimeHash, tpm } = await openAttestation({ settings, publicKey, packageRoot, log });
  const store = createExecutionStore(state.db);
  const executions = openExecutions({ settings, accounts, metrics, store, clock, log });
  const keyStore = createOutputKeyStore(state.db);
  // A development chain may have been begun anew, and what was encrypted for the one before is worth nothing.
  if (settings.node.cofhe.chainId === DEVNET) keyStore.emptyPool();
  const outputKeys = createOutputKeys({
    store: keyStore,
    vault,
    executorOf: (node) => accounts.of(node).executor,
    pooledNodes: accounts.all().flatMap(({ address, cofhe }) => (cofhe.canEncrypt ? [address] : [])),
    poolSize: settings.node.keyPoolSize,
    random: systemRandom,
    clock,
    log,
  });
  const gpus = createGpus(clock);
  const parts = { settings, accounts, executions, store, outputKeys, models, attester, gpus, metrics, runtimeHash };
  const service = createService({
    ...parts,
    ...activation(tpm, { settings, accounts, clock, fetch, log }),
    clock,
    log,
  });
  const nonces = openNonceStore(state.path("nonces.sqlite"));
  let app: ReturnType<typeof createSidecarApp> | null = null;
  const listening = await listenSidecar(
    { fetch: (request) => app?.fetch(request) ?? new Response(null, { status: 503 }) },
    listen,
  ).catch((error: unknown) => {
    nonces.close();
    throw portTaken(error, listen);
  });
  app = createSidecarApp({
    service,
    workerKeys: settings.workerKeys.map(({ id, publicKey: key }) => verifyingKey(id, key)),
    signingKey: signingKey(publicKey, settings.signingSeed),
    origins: settings.origins.length > 0 ? settings.origins : [listening.url],
    nonces,
    clock,
    log,
  });
  executions.resume();
  outputKeys.fill();
  const prune = () => {
    executions.prune();
    keyStore.prune(clock.now() - settings.retentionHours * HOUR_MS);
  };
  prune();
  const timer = setInterval(() => guarded(prune, log), PRUNE_MS);
  const nodes = accounts.addresses;
  log("info", "sidecar.listening", {
    url: listening.url,
    publicKey,
    nodes: nodes.join(","),
    version: VERSION,
    attestation: attester.backendType,
    pid: process.pid,
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    clearInterval(timer);
    log("info", "sidecar.stopping", executions.load());
    outputKeys.stop();
    // Workers may still ask how far theirs are.
    await executions.drain(DRAIN_MS);
    await listening.close(CLOSE_MS);
    nonces.close();
    state.close();
    log("info", "sidecar.stopped");
  };
  return {
    url: listening.url,
    publicKey,
    nodes,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

function openAccounts({ settings, clock, fetch, log }: Required<StartOptions>, state: State, models: Models) {
  const { storageKeys, ipfs } = settings.node;
  const vault = createVault({ keys: storageKeys, random: systemRandom });
  const accounts = createAccounts(settings, {
    db: state.db,
    ipfs: createIpfsDownloader({ gateways: [ipfs.gatewayUrl], fetch, clock, log }),
    models: models.registry,
    vault,
    random: systemRandom,
    clock,
    fetch,
    log,
    prover: null,
  });
  return { vault, accounts };
}

/** A TPM's key is shown to be its own before each quote: the coordinator may have forgotten. */
function activation(
  tpm: TpmAttester | null,
  parts: { settings: SidecarHostSettings; accounts: Accounts; clock: Clock; fetch: Fetch; log: Log },
): { beforeQuote?: (node: string) => Promise<void> } {
  if (tpm === null) return {};
  const { settings, accounts, clock, fetch, log } = parts;
  const endpoint = settings.node.iclEndpoint;
  return {
    async beforeQuote(node) {
      await activateKey(tpm, { endpoint, signer: accounts.of(node).signer, fetch, clock }, log);
    },
  };
}

function openExecutions(parts: {
  settings: SidecarHostSettings;
  accounts: Accounts;
  metrics: Metrics;
  store: ReturnType<typeof createExecutionStore>;
  clock: Clock;
  log: Log;
}) {
  const { settings, accounts, metrics, store, clock, log } = parts;
  return createExecutions({
    store,
    run: (request, signal) => accounts.of(request.node).executor.execute(request, signal),
    clock,
    log,
    slots: settings.slots,
    queueMax: settings.queueMax,
    retentionMs: settings.retentionHours * HOUR_MS,
    onEnd: metrics.executionEnded,
  });
}

async function listenOptions(settings: SidecarHostSettings): Promise<ListenOptions> {
  const { host, port, tls, allowPlainHttp, workerKeys, origins } = settings;
  if (!isLoopbackHost(host) && origins.length === 0) {
    throw new NodeError("settings", `BLF_SIDECAR_HOST is ${host}, and the address that Workers use is not known`, {
      retry: "never",
      hint: "Set BLF_SIDECAR_ORIGINS to the URLs that the Workers reach the sidecar by.",
    });
  }
  const pem = tls === null ? {} : { tls: { cert: await readPem(tls.certPath), key: await readPem(tls.keyPath) } };
  return { host, port, allowPlainHttp, workerKeys: workerKeys.length, ...pem };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new NodeError("settings", `the TLS file ${path} cannot be read`, {
      retry: "never",
      hint: "Check BLF_SIDECAR_TLS_CERT and BLF_SIDECAR_TLS_KEY, and that the sidecar's user may read both files.",
      cause: error,
    });
  }
}

function portTaken(error: unknown, { host, port }: ListenOptions): unknown {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE") return error;
  return new NodeError("settings", `port ${port} of ${host ?? "this machine"} is taken`, {
    retry: "never",
    hint: "Stop what listens there, or choose another BLF_SIDECAR_PORT.",
    cause: error,
  });
}

function guarded(work: () => void, log: Log): void {
  try {
    work();
  } catch (error) {
    log("error", "state.not-pruned", { reason: toFailure(error).message });
  }
}
