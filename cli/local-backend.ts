/**
 * A model's backend with this machine's own settings and keys, as the node would build it (protocol §5). Refuses a model
 * whose key or server is not set, with the setting that would give it.
 */
import type { Backend } from "../core/inference/backend.ts";
import type { LoadedBackend } from "../core/inference/custom.ts";
import { createModelRegistry } from "../core/inference/registry.ts";
import { systemClock } from "../core/ports.ts";
import { backendOf } from "../core/settings/model.ts";
import { usageError } from "./errors.ts";
import { readLeniently } from "./lenient-settings.ts";

export interface ChosenModel {
  model: string;
  backend: Backend;
}

const BASE_URLS = { groq: "GROQ_BASE_URL", gemini: "GEMINI_BASE_URL", openai: "OPENAI_BASE_URL" } as const;
const GPU_FIX =
  "Set OPENAI_BASE_URL to an OpenAI-compatible server such as vLLM, or BLF_CUSTOM_BACKENDS to a module that has it.";

/**
 * @param bindings settings with their secrets
 * @param wanted an id; default: the first real model of the settings. Throws CliError (`usage`).
 * @param custom the operator's own backends
 */
export function chooseModel(
  bindings: Readonly<Record<string, string>>,
  wanted?: string,
  custom: readonly LoadedBackend[] = [],
): ChosenModel {
  const { settings, unusable } = readLeniently(bindings);
  const own = custom.flatMap((loaded) => loaded.custom.models);
  const model = wanted ?? settings.models.find((id) => backendOf(id) !== "mock") ?? own[0] ?? settings.models[0];
  if (model === undefined) {
    throw usageError(
      "No model is set.",
      "Set GROQ_API_KEY, GOOGLE_API_KEY or OPENAI_BASE_URL, or name one with --model.",
    );
  }
  const kind = backendOf(model);
  if (kind !== "mock" && !own.includes(model) && unusable(BASE_URLS[kind])) {
    throw usageError(`${BASE_URLS[kind]} cannot be used as it is.`, "Run `blindference-edge doctor` for the reason.");
  }
  const registry = createModelRegistry({
    models: [model],
    ...settings.backends,
    custom,
    fetch: (...args) => fetch(...args),
    clock: systemClock,
  });
  const found = registry.resolve(model);
  if (found.ok) return { model, backend: found.value };
  const fix = kind === "openai" ? GPU_FIX : kind === "groq" ? "Set GROQ_API_KEY." : "Set GOOGLE_API_KEY.";
  throw usageError(`${found.refusal.message}.`, fix);
}
