/**
 * Backends of the operator's own: a module whose default export names its models and answers prompts. It is checked when
 * it is loaded, and every fault says which module and what to change. Invariant: what a module throws is never repeated,
 * because it may hold the prompt, and an answer is a text or no answer at all.
 */
import { NodeError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { quoteModel, readModels } from "../settings/model.ts";
import { type Backend, backendNameOf } from "./backend.ts";

/** What a module exports as its default. */
export interface CustomBackend {
  /** Ids without the prefix of another backend. Every node of a quorum must give the same answer for the same id. */
  models: readonly string[];
  /** Whether it can answer now. Absent: always. */
  available?(): boolean | Promise<boolean>;
  /**
   * The model's answer, the same each time for the same prompt.
   * @param signal fires when the answer is no longer wanted
   */
  infer(modelId: string, prompt: string, signal: AbortSignal): Promise<string>;
}

/** A module that was loaded, as errors and the log call it. */
export interface LoadedBackend {
  path: string;
  custom: CustomBackend;
}

/** A claim lasts no longer. */
const TIMEOUT_MS = 300_000;
const AVAILABLE_TIMEOUT_MS = 5_000;
const PAGE = "See docs/operate/custom-backend.md.";

/**
 * Loads and checks the modules, in order.
 * @param importModule the platform's import of a path
 * @throws NodeError `settings`
 */
export async function loadCustomBackends(
  paths: readonly string[],
  importModule: (path: string) => Promise<unknown>,
): Promise<LoadedBackend[]> {
  const loaded: LoadedBackend[] = [];
  for (const path of paths) {
    const module = await importModule(path).catch((error: unknown) => {
      throw badModule(path, `cannot be loaded (${nameOf(error)})`, error);
    });
    const custom = backendIn(module, path);
    const taken = loaded.find((other) => other.custom.models.some((id) => custom.models.includes(id)));
    if (taken !== undefined) throw badModule(path, `names a model that ${taken.path} names too`);
    loaded.push({ path, custom });
  }
  return loaded;
}

/** The backend as the executor asks it. */
export function createCustomBackend({ path, custom }: LoadedBackend, clock: Clock): Backend {
  return {
    name: "custom",
    async infer(modelId, prompt, signal) {
      signal?.throwIfAborted();
      const answer = await inTime(clock, TIMEOUT_MS, signal, (either) => custom.infer(modelId, prompt, either)).catch(
        (error: unknown) => {
          if (signal?.aborted === true) throw signal.reason;
          throw error instanceof NodeError ? error : failed(path, `threw ${nameOf(error)}`);
        },
      );
      if (answer === TOO_LATE) throw failed(path, `did not answer within ${TIMEOUT_MS / 1000} s`);
      if (typeof answer === "string") return answer;
      throw new NodeError("model-refused", `the backend ${path} gave something else than a text`, {
        retry: "never",
        hint: PAGE,
      });
    },
  };
}

/** False also where it throws or takes too long to say. */
export async function isAvailable({ custom }: LoadedBackend, clock: Clock): Promise<boolean> {
  const { available } = custom;
  if (available === undefined) return true;
  try {
    return (await inTime(clock, AVAILABLE_TIMEOUT_MS, undefined, async () => available.call(custom))) === true;
  } catch {
    return false;
  }
}

const TOO_LATE = Symbol("too late");

async function inTime<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal | undefined,
  work: (either: AbortSignal) => Promise<T>,
): Promise<T | typeof TOO_LATE> {
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const late = clock.sleep(limitMs, either).then((): typeof TOO_LATE => TOO_LATE);
  try {
    return await Promise.race([work(either), late]);
  } finally {
    over.abort();
    // The sleep that was called off, or its caller's reason, which the race has given already.
    late.catch(() => undefined);
  }
}

function backendIn(module: unknown, path: string): CustomBackend {
  const exported = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (typeof exported !== "object" || exported === null) throw badModule(path, "has no object as its default export");
  const { models, infer, available } = exported as Partial<Record<keyof CustomBackend, unknown>>;
  if (!isTexts(models) || models.length === 0) throw badModule(path, "must name its models, an array of ids");
  if (typeof infer !== "function") throw badModule(path, "must have a function infer(modelId, prompt, signal)");
  if (available !== undefined && typeof available !== "function")
    throw badModule(path, "has an available that is no function");
  const foreign = models.find((id) => backendNameOf(id) !== "openai");
  if (foreign !== undefined) throw badModule(path, `names ${quoteModel(foreign)}, whose prefix is another backend's`);
  for (const id of models) {
    const read = readModels(id);
    if (!read.ok || read.value.length !== 1 || read.value[0] !== id) {
      throw badModule(path, `names ${quoteModel(id)}, which is no model id: ASCII characters without spaces or commas`);
    }
  }
  if (new Set(models).size < models.length) throw badModule(path, "names a model twice");
  return exported as CustomBackend;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** A system's code or a class's name: the text itself may hold anything. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "something that is no error";
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return /^\w{1,60}$/.test(code) ? code : "an error";
}

function failed(path: string, what: string): NodeError {
  return new NodeError("model-unavailable", `the backend ${path} ${what}`, {
    retry: "later",
    admitted: "unknown",
    hint: "Try it with `blindference-edge test-determinism`, which runs it in the open.",
  });
}

function badModule(path: string, what: string, cause?: unknown): NodeError {
  const given = cause === undefined ? {} : { cause };
  return new NodeError("settings", `BLF_CUSTOM_BACKENDS: ${path} ${what}`, { retry: "never", hint: PAGE, ...given });
}
