/**
 * Where the Worker wires core to the platform, by hand. What is pure (settings, signers, log) is shared by everything
 * in the isolate; what may hold pending I/O (vault, clients) is made anew for each object, because the platform lets no
 * object wait for another one's I/O. Nothing here decides anything; a part that needs a missing setting is null.
 */
import { getAddress } from "viem/utils";
import { type Attester, createMockAttester } from "../core/attestation/attester.ts";
import { createSidecarAttester } from "../core/attestation/sidecar-attester.ts";
import { type ChainClient, createChainClient } from "../core/chain/rpc.ts";
import { type GuardedSigner, guardSigner, policyOf } from "../core/chain/signing-policy.ts";
import { createCofhe, type PermitStore } from "../core/cofhe/client.ts";
import { wrappedPermits } from "../core/cofhe/wrapped-permits.ts";
import { createExecutor } from "../core/executor/edge-executor.ts";
import type { Executor } from "../core/executor/executor.ts";
import { createSidecarExecutor } from "../core/executor/sidecar-executor.ts";
import { setFailpointHook } from "../core/failpoint.ts";
import { createIclClient, type IclClient } from "../core/icl/client.ts";
import { createModelRegistry, type ModelRegistry } from "../core/inference/registry.ts";
import { createIpfsDownloader, type IpfsDownloader } from "../core/ipfs/download.ts";
import { createPinner, type Pinner } from "../core/ipfs/pin.ts";
import { createLog } from "../core/log.ts";
import { type Clock, type Fetch, type Log, systemClock, systemRandom } from "../core/ports.ts";
import { secretsIn, secretsOf } from "../core/settings/secrets.ts";
import { readSettings, type Settings, type SettingsResult } from "../core/settings/settings.ts";
import { createSidecarClient, type SidecarClient } from "../core/sidecar/client.ts";
import { createSidecarSigner } from "../core/sidecar/remote-signer.ts";
import { localSigner, type Signer } from "../core/signer.ts";
import { createVault } from "../core/vault.ts";
import { printLine } from "./adapters/console.ts";

/** Looked up at each call, so that a test's stand-in for the global is used. */
const platformFetch: Fetch = (input, init) => fetch(input, init);

/** An object's own tools. */
export interface Kit {
  settings: Settings;
  log: Log;
  clock: Clock;
  ipfs: IpfsDownloader;
  pinner: Pinner | null;
  attester: Attester;
  models: ModelRegistry;
  chain: ChainClient;
  /** Null in edge mode. */
  sidecar: SidecarClient | null;
}

/** The settings in force and the accounts they give; both null-free. */
export interface Configured {
  settings: Settings;
  /** EIP-55 addresses, each once. */
  nodes: readonly string[];
  /** Edge mode: by address, each behind the signing policy. In sidecar mode the keys are elsewhere. */
  signers: ReadonlyMap<string, GuardedSigner>;
}

export interface Wiring {
  result: SettingsResult;
  log: Log;
  /** Null while a setting is at fault: then nothing is claimed. */
  configured: Configured | null;
}

const wirings = new WeakMap<object, Wiring>();

export function wire(env: object): Wiring {
  const known = wirings.get(env);
  if (known !== undefined) return known;
  const result = readSettings(env as Record<string, unknown>);
  const { settings } = result;
  const log = createLog(printLine, {
    level: settings?.logLevel ?? "info",
    clock: systemClock,
    secrets: settings === null ? secretsIn(textsOf(env)) : secretsOf(settings),
  });
  const configured = settings === null ? null : configure(settings);
  if (__FAILPOINTS__) listenAtFailpoints(env);
  const wiring: Wiring = { result, log, configured };
  wirings.set(env, wiring);
  return wiring;
}

/** The settings among the bindings. */
function textsOf(env: object): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
}

function configure(settings: Settings): Configured {
  const signers = signersOf(settings);
  return { settings, signers, nodes: settings.sidecar?.nodes ?? [...signers.keys()] };
}

function signersOf(settings: Settings): ReadonlyMap<string, GuardedSigner> {
  const policy = policyOf(settings);
  const signers = settings.privateKeys.map((key) => guardSigner(localSigner(key), policy));
  return new Map(signers.map((signer) => [signer.address, signer]));
}

/** An account of this deployment, for one object; null where the address is not one. */
export function signerOf({ settings, nodes, signers }: Configured, kit: Kit, address: string): GuardedSigner | null {
  if (kit.sidecar === null) return signers.get(address) ?? null;
  const node = nodes.find((known) => known === address);
  // The sidecar judges by its own policy; this one refuses before it is even asked.
  return node === undefined
    ? null
    : guardSigner(createSidecarSigner(kit.sidecar, getAddress(node)), policyOf(settings));
}

export function createKit(settings: Settings, log: Log): Kit {
  const { ipfs, backends } = settings;
  const sidecar = settings.sidecar === null ? null : sidecarOf(settings.sidecar);
  const { backend, mockKey } = settings.attestation;
  return {
    settings,
    log,
    clock: systemClock,
    sidecar,
    ipfs: createIpfsDownloader({ gateways: [ipfs.gatewayUrl], fetch: platformFetch, clock: systemClock, log }),
    pinner:
      ipfs.pinataJwt === undefined
        ? null
        : createPinner({
            apiUrl: ipfs.pinataApiUrl,
            jwt: ipfs.pinataJwt,
            fetch: platformFetch,
            clock: systemClock,
            log,
          }),
    attester: sidecar === null ? createMockAttester(mockKey) : createSidecarAttester(sidecar, backend),
    models: createModelRegistry({
      models: settings.models,
      openaiDiscover: settings.openaiDiscover,
      ...backends,
      fetch: platformFetch,
      clock: systemClock,
    }),
    chain: createChainClient({ rpcUrls: settings.rpcUrls, chainId: settings.cofhe.chainId, fetch: platformFetch }),
  };
}

function sidecarOf({ url, key, sidecarKeys, access }: NonNullable<Settings["sidecar"]>): SidecarClient {
  const token = access === undefined ? {} : { access };
  return createSidecarClient({
    url,
    key,
    sidecarKeys,
    ...token,
    fetch: platformFetch,
    clock: systemClock,
    random: systemRandom,
  });
}

export function iclOf(kit: Kit, signer: Signer): IclClient {
  return createIclClient({ endpoint: kit.settings.iclEndpoint, signer, fetch: platformFetch, clock: kit.clock });
}

/** What opens prompts: this object, or the sidecar. */
export interface Confidential {
  executor: Executor;
  /** Whether output keys can be encrypted here; the sidecar says it of itself. */
  canEncrypt: boolean | null;
}

/** @param envelopes edge mode: where the wrapped permit is kept; its sealing key is as secret as the node's own */
export function confidentialOf(kit: Kit, signer: Signer, envelopes: PermitStore): Confidential {
  const { ipfs, models, clock, sidecar } = kit;
  if (sidecar !== null) return { executor: createSidecarExecutor({ client: sidecar, clock }), canEncrypt: null };
  const vault = createVault({ keys: kit.settings.storageKeys, random: systemRandom });
  const { rpcUrls, chainId, urls } = kit.settings.cofhe;
  const permits = wrappedPermits(vault, kit.log, signer.address, envelopes);
  const cofhe = createCofhe({ chainId, rpcUrls, urls, signer, permits, clock });
  const executor = createExecutor({ cofhe, ipfs, models, vault, clock, random: systemRandom });
  return { executor, canEncrypt: cofhe.canEncrypt };
}

/** Test builds: every failpoint is told to BLF_FAILPOINT_URL, whose answer lets the node go on. */
function listenAtFailpoints(env: object): void {
  const url = (env as Record<string, unknown>).BLF_FAILPOINT_URL;
  if (typeof url !== "string") return;
  setFailpointHook(async (name, about) => {
    const reply = await fetch(url, { method: "POST", body: JSON.stringify({ name, ...about }) });
    await reply.text();
  });
}

export { platformFetch };
