/** Which models this node serves right now: what the settings list, less what the local server does not have. */
import { NodeError, toFailure } from "../../../../core/errors.ts";
import { backendNameOf } from "../../../../core/inference/backend.ts";
import { listModels } from "../../../../core/inference/openai-completions.ts";
import type { SidecarClient } from "../../../../core/sidecar/client.ts";
import { platformFetch } from "../../../wiring.ts";
import { type NodeContext, tell } from "../context.ts";
import { noteSidecarDown, noteSidecarUp } from "../dependencies.ts";

const ASK_AGAIN_MS = 5_000;

/** Asks every backend again what it can run and whether it takes the key, and has the certificate follow. */
export async function modelsDuty(context: NodeContext): Promise<void> {
  const { kit, schedule } = context;
  const before = servedModels(context).join();
  try {
    await examineBackends(context);
    noteSidecarUp(context);
  } catch (error) {
    // Its silence shows before a job meets it: three questions in a row, and nothing is claimed until it is back.
    if (noteSidecarDown(context, error)) schedule.hasten("models", kit.clock.now(), ASK_AGAIN_MS);
    throw error;
  } finally {
    const served = servedModels(context).join();
    if (served !== before) {
      tell(context, "info", "models.changed", { models: served });
      // The watchdog sees that the certificate names other models.
      schedule.hasten("watchdog", kit.clock.now());
    }
  }
}

/**
 * Learns what the local server can run and which keys are refused. Throws where a backend gave no answer. Whoever asks
 * while an examination is under way shares it: a start needs it for the certificate and for the models at once.
 */
export function examineBackends(context: NodeContext): Promise<void> {
  const { live } = context;
  live.examination ??= examine(context).finally(() => {
    live.examination = null;
  });
  return live.examination;
}

async function examine(context: NodeContext): Promise<void> {
  const { kit, live } = context;
  if (kit.sidecar !== null) return examineSidecar(context, kit.sidecar);
  const { openai } = kit.settings.backends;
  const asked = [checkKeys(context)];
  if (openai !== undefined) {
    const listed = listModels({ ...openai, fetch: platformFetch, clock: kit.clock });
    asked.push(
      listed.then((ids) => {
        live.discovered = ids;
      }),
    );
  }
  const outcomes = await Promise.allSettled(asked);
  live.examined = true;
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** The sidecar knows best what it can run, and finds out by itself what its backends refuse. */
async function examineSidecar({ live, signer }: NodeContext, sidecar: SidecarClient): Promise<void> {
  const capabilities = await sidecar.capabilities();
  live.examined = true;
  if (!capabilities.nodes.includes(signer.address)) {
    live.sidecar = null;
    throw new NodeError("settings", `the sidecar does not hold the key of ${signer.address}`, {
      retry: "later",
      hint: "Set BLF_NODE_ADDRESS to the address that `blindference-edge sidecar keys` shows, or give the sidecar this node's key.",
    });
  }
  live.sidecar = capabilities;
  live.refusedKeys.clear();
}

/** A wrong key is found here, not by a claimed job. Where a provider does not answer, what was known before stands. */
async function checkKeys(context: NodeContext): Promise<void> {
  const { kit, live } = context;
  const resolved = kit.models.models().map(({ id }) => kit.models.resolve(id));
  const backends = new Map(resolved.flatMap((one) => (one.ok ? [[one.value.name, one.value]] : [])));
  const checks = [...backends.values()].map(async (backend) => {
    try {
      await backend.checkKey?.();
      live.refusedKeys.delete(backend.name);
    } catch (error) {
      const { code, message, hint } = toFailure(error);
      if (code !== "model-key") throw error;
      if (!live.refusedKeys.has(backend.name)) tell(context, "error", "model.key-refused", { reason: message, hint });
      live.refusedKeys.add(backend.name);
      live.lastError = { code, message, hint, atMs: kit.clock.now() };
    }
  });
  const failed = (await Promise.allSettled(checks)).find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Ids to offer to the coordinator, without duplicates. */
export function servedModels(context: NodeContext): string[] {
  return modelList(context).flatMap(({ id, served }) => (served ? [id] : []));
}

/** Whether a job for this model can be claimed: its key is not refused, and a local server lists it. */
export function servesModel(context: NodeContext, modelId: string): boolean {
  if (context.kit.sidecar !== null) {
    return modelList(context).some(({ id, served }) => id === modelId && served);
  }
  const resolved = context.kit.models.resolve(modelId);
  if (!resolved.ok || context.live.refusedKeys.has(resolved.value.name)) return false;
  return resolved.value.name !== "openai" || (context.live.discovered?.includes(modelId) ?? false);
}

/** Every model the settings or the local server name, and whether it is served. */
export function modelList(context: NodeContext): { id: string; backend: string; served: boolean }[] {
  if (context.kit.sidecar !== null) return sidecarModels(context);
  const listed = context.kit.models.models();
  const found = (context.live.discovered ?? [])
    .filter((id) => context.kit.settings.openaiDiscover && !listed.some((model) => model.id === id))
    .map((id) => ({ id, backend: "openai" }));
  return [...listed, ...found].map((model) => ({ ...model, served: servesModel(context, model.id) }));
}

/** Those of the settings where they name any, else all that the sidecar has. */
function sidecarModels({ kit, live }: NodeContext): { id: string; backend: string; served: boolean }[] {
  const has = live.sidecar?.models ?? [];
  const wanted = kit.settings.models.length > 0 ? kit.settings.models : has.map(({ id }) => id);
  return wanted.map((id) => {
    const backend = backendNameOf(id);
    const served = has.some((model) => model.id === id) && !live.refusedKeys.has(backend);
    return { id, backend: has.find((model) => model.id === id)?.backend ?? backend, served };
  });
}
