/** A sidecar's app with keys, a clock and a log that tests can see, and Worker clients that talk to it in memory. */
import { DatabaseSync } from "node:sqlite";
import { type LogFields, systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { createSidecarClient, type SidecarClient, type SidecarOptions } from "../../core/sidecar/client.ts";
import { publicKeyOf, signingKey, verifyingKey } from "../../core/sidecar/keys.ts";
import { createSidecarApp, type SidecarAppParts } from "./app.ts";
import { createFakeService, type FakeService } from "./fake-service.ts";
import { type NonceStore, openNonceStore } from "./nonce-store.ts";

export const ORIGIN = "https://sidecar.example.com";
export const KEY_ID = "worker-1";
export const workerSeed = new Secret("11".repeat(32));
export const nextWorkerSeed = new Secret("22".repeat(32));
export const sidecarSeed = new Secret("33".repeat(32));
export const nextSidecarSeed = new Secret("44".repeat(32));

export interface Rig {
  app: ReturnType<typeof createSidecarApp>;
  service: FakeService;
  nonces: NonceStore;
  clock: { nowMs: number; now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> };
  /** Every log event's name and fields. */
  logged: { event: string; fields: LogFields }[];
  client(changes?: Partial<SidecarOptions>): Promise<SidecarClient>;
}

/** A Tuesday, so that nothing depends on the machine's clock. */
export const NOW_MS = Date.UTC(2026, 0, 6, 12, 0, 0);

export async function createRig(
  changes: Partial<SidecarAppParts> & { workerSeeds?: Record<string, Secret> } = {},
): Promise<Rig> {
  const service = createFakeService();
  const nonces = changes.nonces ?? openNonceStore(":memory:");
  const clock: Rig["clock"] = {
    nowMs: NOW_MS,
    now: () => clock.nowMs,
    // No test waits for a time limit: such a sleep ends when it is called off.
    sleep: (_, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  };
  const logged: Rig["logged"] = [];
  const seeds = Object.entries(changes.workerSeeds ?? { [KEY_ID]: workerSeed });
  const app = createSidecarApp({
    service,
    workerKeys: await Promise.all(seeds.map(async ([id, seed]) => verifyingKey(id, await publicKeyOf(seed)))),
    signingKey: signingKey(await publicKeyOf(sidecarSeed), sidecarSeed),
    origins: [ORIGIN],
    nonces,
    clock,
    log: (_, event, fields = {}) => void logged.push({ event, fields }),
    ...changes,
  });
  const fetch: SidecarOptions["fetch"] = async (input, init) => app.fetch(new Request(input, init));
  return {
    app,
    service,
    nonces,
    clock,
    logged,
    client: async (options = {}) =>
      createSidecarClient({
        url: ORIGIN,
        key: { id: KEY_ID, seed: workerSeed },
        sidecarKeys: [await publicKeyOf(sidecarSeed)],
        fetch,
        clock,
        random: systemRandom,
        ...options,
      }),
  };
}

/** Rows of a store's file, seen from outside. */
export function countNonces(path: string): number {
  const db = new DatabaseSync(path);
  try {
    return Number(db.prepare("select count(*) as count from nonces").get()?.count);
  } finally {
    db.close();
  }
}
