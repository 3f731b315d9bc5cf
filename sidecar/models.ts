/**
 * The models that the sidecar runs: those that are listed, those of custom backends, and, where nothing is listed, what the
 * OpenAI-compatible server says it has. Invariant: what is shown can be run as far as is known now.
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { NodeError, toFailure } from "../core/errors.ts";
import { isAvailable, type LoadedBackend, loadCustomBackends } from "../core/inference/custom.ts";
import { listModels } from "../core/inference/openai-completions.ts";
import { createModelRegistry, type ModelRegistry } from "../core/inference/registry.ts";
import type { Clock, Fetch, Log } from "../core/ports.ts";
import type { SidecarHostSettings } from "../core/settings/sidecar.ts";

export interface Models {
  registry: ModelRegistry;
  /** What can be run now. The model server is asked once a minute at most. */
  served(): Promise<{ id: string; backend: string }[]>;
}

const FRESH_MS = 60_000;

/** Throws NodeError `settings` where a module is no backend, or a listed model can be run by nothing. */
export async function openModels(
  settings: SidecarHostSettings,
  { fetch, clock, log }: { fetch: Fetch; clock: Clock; log: Log },
): Promise<Models> {
  const { models, backends, openaiDiscover } = settings.node;
  const custom = await loadCustomBackends(settings.customBackends, (path) => import(pathToFileURL(resolve(path)).href));
  const registry = createModelRegistry({ models, openaiDiscover, ...backends, custom, fetch, clock });
  for (const { id } of registry.models()) {
    const found = registry.resolve(id);
    if (!found.ok) throw unrunnable(found.refusal.message);
  }
  for (const { path, custom: backend } of custom) {
    log("info", "backend.loaded", { path, models: backend.models.join(",") });
  }
  const { openai } = backends;
  let discovered: { atMs: number; ids: string[] } | null = null;

  async function discover(): Promise<string[]> {
    if (!openaiDiscover || openai === undefined) return [];
    if (discovered !== null && clock.now() - discovered.atMs < FRESH_MS) return discovered.ids;
    try {
      discovered = { atMs: clock.now(), ids: await listModels({ ...openai, fetch, clock }) };
    } catch (error) {
      // Nothing is served that nobody can run just now.
      log("warn", "models.not-listed", { reason: toFailure(error).message });
      discovered = { atMs: clock.now(), ids: [] };
    }
    return discovered.ids;
  }

  return {
    registry,
    async served() {
      const [ids, closed] = await Promise.all([discover(), unavailable(custom, clock)]);
      const known = registry.models();
      // A model of a module is run by the module or not at all.
      const more = ids.filter((id) => !known.some((model) => model.id === id));
      return [...known.filter(({ id }) => !closed.has(id)), ...more.map((id) => ({ id, backend: "openai" }))];
    },
  };
}

async function unavailable(custom: readonly LoadedBackend[], clock: Clock): Promise<ReadonlySet<string>> {
  const asked = await Promise.all(custom.map(async (loaded) => ({ loaded, open: await isAvailable(loaded, clock) })));
  return new Set(asked.flatMap(({ loaded, open }) => (open ? [] : loaded.custom.models)));
}

function unrunnable(message: string): NodeError {
  return new NodeError("settings", `BLF_MODELS: ${message}`, {
    retry: "never",
    hint: "Give the backend's key or URL, add the module to BLF_CUSTOM_BACKENDS, or take the model out of BLF_MODELS.",
  });
}
