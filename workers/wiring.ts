/**
 * Where the Worker wires core to the platform, by hand. What is pure (settings, signers, log) is shared by everything
 * in the isolate; what may hold pending I/O (vault, clients) is made anew for each object, because the platform lets no
 * object wait for another one's I/O. Nothing here decides anything; a part that needs a missing setting is null.
 */
import { type Attester, createMockAttester } from "../core/attestation/attester.ts";
import { type ChainClient, createChainClient } from "../core/chain/rpc.ts";
import { type GuardedSigner, guardSigner, policyOf } from "../core/chain/signing-policy.ts";
import { type Cofhe, createCofhe, type PermitStore } from "../core/cofhe/client.ts";
import { toFailure } from "../core/errors.ts";
import { createExecutor } from "../core/executor/edge-executor.ts";
import type { Executor } from "../core/executor/executor.ts";
import { setFailpointHook } from "../core/failpoint.ts";
import { createIclClient, type IclClient } from "../core/icl/client.ts";
import { createModelRegistry, type ModelRegistry } from "../core/inference/registry.ts";
import { createIpfsDownloader, type IpfsDownloader } from "../core/ipfs/download.ts";
import { createPinner, type Pinner } from "../core/ipfs/pin.ts";
import { createLog } from "../core/log.ts";
import { type Clock, type Fetch, type Log, systemClock, systemRandom } from "../core/ports.ts";
import { secretsIn, secretsOf } from "../core/settings/secrets.ts";
import { readSettings, type Settings, type SettingsResult } from "../core/settings/settings.ts";
import { localSigner, type Signer } from "../core/signer.ts";
import { createVault, type Vault } from "../core/vault.ts";
import { printLine } from "./adapters/console.ts";

/** Looked up at each call, so that a test's stand-in for the global is used. */
const platformFetch: Fetch = (input, init) => fetch(input, init);

/** The vault's purpose for CoFHE permits; the identity is the node's address. */
const PERMIT_PURPOSE = "cofhe-permit";

/** An object's own tools. */
export interface Kit {
  settings: Settings;
  log: Log;
  clock: Clock;
  vault: Vault;
  ipfs: IpfsDownloader;
  pinner: Pinner | null;
  attester: Attester;
  models: ModelRegistry;
  chain: ChainClient;
}

/** The settings in force and the accounts they give; both null-free. */
export interface Configured {
  settings: Settings;
  /** By EIP-55 address, each behind the signing policy. */
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
  const configured = settings === null ? null : { settings, signers: signersOf(settings) };
  if (__FAILPOINTS__) listenAtFailpoints(env);
  const wiring: Wiring = { result, log, configured };
  wirings.set(env, wiring);
  return wiring;
}

/** The settings among the bindings. */
function textsOf(env: object): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
}

function signersOf(settings: Settings): ReadonlyMap<string, GuardedSigner> {
  const policy = policyOf(settings);
  const signers = settings.privateKeys.map((key) => guardSigner(localSigner(key), policy));
  return new Map(signers.map((signer) => [signer.address, signer]));
}

export function createKit(settings: Settings, log: Log): Kit {
  const { ipfs, backends } = settings;
  return {
    settings,
    log,
    clock: systemClock,
    vault: createVault({ keys: settings.storageKeys, random: systemRandom }),
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
    attester: createMockAttester(settings.attestation.mockKey),
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

export function iclOf(kit: Kit, signer: Signer): IclClient {
  return createIclClient({ endpoint: kit.settings.iclEndpoint, signer, fetch: platformFetch, clock: kit.clock });
}

/** @param envelopes where the wrapped permit is kept; its sealing key is as secret as the node's own. */
export function cofheOf(kit: Kit, signer: Signer, envelopes: PermitStore): Cofhe {
  const { rpcUrls, chainId, urls } = kit.settings.cofhe;
  const wrap = async (permit: Uint8Array) =>
    envelopes.save(await kit.vault.seal(PERMIT_PURPOSE, signer.address, permit));
  const permits: PermitStore = {
    async load() {
      const envelope = await envelopes.load();
      if (envelope === null) return null;
      const permit = await kit.vault.open(PERMIT_PURPOSE, signer.address, envelope).catch((error: unknown) => {
        // A permit costs a signature: one that cannot be opened any more is made anew.
        kit.log("warn", "permit.unreadable", { node: signer.address, reason: toFailure(error).message });
        return null;
      });
      if (permit === null) return null;
      // Under a previous storage key: wrapped again, so that the previous one may go.
      if (await kit.vault.needsRewrap(envelope)) await wrap(permit);
      return new TextDecoder().decode(permit);
    },
    save: (serialised) => wrap(new TextEncoder().encode(serialised)),
  };
  return createCofhe({ chainId, rpcUrls, urls, signer, permits, clock: kit.clock });
}

export function executorOf(kit: Kit, cofhe: Cofhe): Executor {
  const { ipfs, models, vault, clock } = kit;
  return createExecutor({ cofhe, ipfs, models, vault, clock, random: systemRandom });
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
