/**
 * Which models this node runs, and on what. Only listed ids are served, and nothing stands in for anything else: a model
 * without its key is refused, and the mock runs only as an id that the operator wrote down (protocol §5).
 */
import { ok, type Result, refuse } from "../result.ts";
import type { Secret } from "../secret.ts";
import { type Backend, type BackendName, type BackendPorts, backendNameOf } from "./backend.ts";
import { createCustomBackend, type LoadedBackend } from "./custom.ts";
import { createGeminiBackend } from "./gemini.ts";
import { createGroqBackend } from "./groq.ts";
import { createMockBackend } from "./mock.ts";
import { createOpenaiBackend } from "./openai-completions.ts";

export interface ModelRegistryConfig extends BackendPorts {
  /** Full ids, with their prefixes. */
  models: readonly string[];
  groq?: { apiKey: Secret; baseUrl: string };
  gemini?: { apiKey: Secret; baseUrl: string };
  openai?: { baseUrl: string; apiKey?: Secret };
  /** Also run unlisted ids on the OpenAI-compatible server, which refuses those that it lacks. Default: false. */
  openaiDiscover?: boolean;
  /** Their models are served without being listed. */
  custom?: readonly LoadedBackend[];
}

export interface ModelRefusal {
  reason: "unlisted" | "not-configured" | "malformed";
  /** For the operator. */
  message: string;
}

export interface ModelRegistry {
  /** The backend that runs an id. */
  resolve(modelId: string): Result<Backend, ModelRefusal>;
  /** Every listed or custom id once, and what would run it; whether it can run is for `resolve` to say. */
  models(): { id: string; backend: BackendName }[];
}

const SETTING: Record<Exclude<BackendName, "mock" | "custom">, string> = {
  groq: "GROQ_API_KEY",
  gemini: "GOOGLE_API_KEY",
  openai: "OPENAI_BASE_URL",
};

export function createModelRegistry(config: ModelRegistryConfig): ModelRegistry {
  const listed = new Set(config.models);
  const backends = createBackends(config);
  const custom = customBackends(config);
  return {
    models: () =>
      [...new Set([...listed, ...custom.keys()])].map((id) => ({
        id,
        backend: custom.get(id)?.name ?? backendNameOf(id),
      })),
    resolve(modelId) {
      const own = custom.get(modelId);
      if (own !== undefined) return ok(own);
      const name = backendNameOf(modelId);
      const discovered = config.openaiDiscover === true && name === "openai";
      if (!listed.has(modelId) && !discovered) {
        return refuse({ reason: "unlisted", message: `this node does not serve ${shown(modelId)}` });
      }
      if (modelId.endsWith(":") || modelId === "" || modelId === "mock") {
        return refuse({ reason: "malformed", message: `${shown(modelId)} names no model` });
      }
      const backend = backends[name];
      if (backend !== undefined) return ok(backend);
      const missing = name === "mock" ? "" : SETTING[name];
      return refuse({ reason: "not-configured", message: `${shown(modelId)} needs ${missing}` });
    },
  };
}

function createBackends(config: ModelRegistryConfig): Partial<Record<BackendName, Backend>> {
  const { groq, gemini, openai, fetch, clock } = config;
  return {
    mock: createMockBackend(),
    ...(groq === undefined ? {} : { groq: createGroqBackend({ ...groq, fetch, clock }) }),
    ...(gemini === undefined ? {} : { gemini: createGeminiBackend({ ...gemini, fetch, clock }) }),
    ...(openai === undefined ? {} : { openai: createOpenaiBackend({ ...openai, fetch, clock }) }),
  };
}

function customBackends({ custom = [], clock }: ModelRegistryConfig): ReadonlyMap<string, Backend> {
  return new Map(
    custom.flatMap((loaded) => {
      const backend = createCustomBackend(loaded, clock);
      return loaded.custom.models.map((id) => [id, backend] as const);
    }),
  );
}

/** An offer's model id comes from outside and goes into logs. */
function shown(modelId: string): string {
  return /^[\x21-\x7e]{1,100}$/.test(modelId) ? `model ${modelId}` : "a model with an unusable id";
}
