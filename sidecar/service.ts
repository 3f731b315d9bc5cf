/**
 * The sidecar's inside, put together: executions, output keys, attestation and signatures of the nodes whose keys it
 * holds. It refuses whatever is about another node before anything else happens.
 */
import type { Attester } from "../core/attestation/attester.ts";
import { toFailure } from "../core/errors.ts";
import { EXECUTOR_VERSION } from "../core/executor/executor.ts";
import type { Clock, Log } from "../core/ports.ts";
import type { SidecarHostSettings } from "../core/settings/sidecar.ts";
import { PROTOCOL_VERSION } from "../core/sidecar/protocol.ts";
import type { Capabilities } from "../core/sidecar/wire.ts";
import { VERSION } from "../core/version.ts";
import type { Accounts } from "./accounts.ts";
import type { Executions } from "./executions/executions.ts";
import type { ExecutionStore } from "./executions/store.ts";
import type { Gpus } from "./gpu.ts";
import type { SidecarService } from "./http/service.ts";
import type { Metrics } from "./metrics.ts";
import type { Models } from "./models.ts";
import type { OutputKeys } from "./output-keys/output-keys.ts";
import { sign } from "./sign.ts";

export interface ServiceParts {
  settings: Pick<SidecarHostSettings, "node" | "slots" | "queueMax">;
  accounts: Accounts;
  executions: Executions;
  store: Pick<ExecutionStore, "count">;
  outputKeys: OutputKeys;
  models: Models;
  attester: Attester;
  /** What comes before a quote of a node's; must not throw. Absent where there is nothing to do. */
  beforeQuote?: (node: string) => Promise<void>;
  gpus: Gpus;
  metrics: Metrics;
  /** 64 hex digits; empty where it is not known, which only a mock's attestation allows. */
  runtimeHash: string;
  clock: Clock;
  log: Log;
}

export function createService(parts: ServiceParts): SidecarService {
  const { accounts, executions, outputKeys, attester, metrics, clock, log } = parts;
  return {
    capabilities: () => capabilities(parts),

    async startExecution(request, attempt) {
      accounts.of(request.node);
      return executions.start(request, attempt);
    },
    async pollExecution(id) {
      accounts.of(id.node);
      return executions.poll(id);
    },
    async cancelExecution(id) {
      accounts.of(id.node);
      return executions.cancel(id);
    },
    async outputKey(request) {
      accounts.of(request.node);
      return outputKeys.ask(request);
    },

    async attest({ node, challengeId, nonce, modelIds }) {
      accounts.of(node);
      await parts.beforeQuote?.(node);
      const quoted = await attester.quote(nonce, { node, challengeId, models: modelIds });
      log("info", "attestation.quoted", { node, backend: attester.backendType, models: modelIds.length });
      return { backendType: attester.backendType, ...quoted };
    },

    async sign(request) {
      try {
        const reply = await sign(request, accounts.of(request.node), clock);
        metrics.signed(request.kind, true);
        return reply;
      } catch (error) {
        metrics.signed(request.kind, false);
        log("warn", "signature.refused", { node: request.node, kind: request.kind, reason: toFailure(error).message });
        throw error;
      }
    },

    metrics: async () => metrics.render(gauges(parts)),
  };
}

async function capabilities(parts: ServiceParts): Promise<Capabilities> {
  const { settings, accounts, executions, outputKeys, models, attester, gpus, runtimeHash } = parts;
  const { slots, queueMax } = settings;
  const { running, queued } = executions.load();
  const [served, cards] = await Promise.all([models.served(), gpus.report()]);
  return {
    protocol: PROTOCOL_VERSION,
    version: VERSION,
    executorVersion: EXECUTOR_VERSION,
    nodes: [...accounts.addresses],
    models: served,
    gpus:
      cards.reason === null
        ? cards.gpus.map(({ name, memoryMib, driver }) => ({ name, memoryMiB: memoryMib, driver }))
        : null,
    capacity: { slots, free: Math.max(0, slots - running - queued), queued, queueMax },
    tier: settings.node.tier,
    attestation: attester.backendType,
    keyPool: outputKeys.pool(),
    encryptsOutputKeys: accounts.all().every(({ cofhe }) => cofhe.canEncrypt),
    runtimeHash,
  };
}

function gauges({ settings, executions, store, outputKeys }: ServiceParts) {
  const { size, ready } = outputKeys.pool();
  const { slots, queueMax } = settings;
  return { ...executions.load(), slots, queueMax, stored: store.count(), poolSize: size, poolReady: ready };
}
