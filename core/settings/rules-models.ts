/** Rules that tie each model to what runs it: the node claims only what it can really run (protocol §5). */
import type { Rule } from "./findings.ts";
import { backendOf, type ModelBackend, quoteModel } from "./model.ts";
import type { SettingName } from "./schema.ts";

const NEEDS: Readonly<Record<Exclude<ModelBackend, "mock">, SettingName>> = {
  groq: "GROQ_API_KEY",
  gemini: "GOOGLE_API_KEY",
  openai: "OPENAI_BASE_URL",
};

export const models: Rule = ({ values, given, faulty }, { fault }) => {
  // There the sidecar says what it can run.
  if (values.BLF_EXECUTOR === "sidecar") return;
  if (given("BLF_MODELS")) {
    for (const id of values.BLF_MODELS ?? []) {
      const backend = backendOf(id);
      if (backend === "mock") continue;
      const needed = NEEDS[backend];
      if (given(needed) || faulty(needed)) continue;
      const message = `BLF_MODELS lists ${quoteModel(id)}, which cannot run without ${needed}.`;
      fault("BLF_MODELS", "conflict", message, `Set ${needed}, or remove the model from BLF_MODELS.`);
    }
  } else if (["BLF_MODELS" as const, ...Object.values(NEEDS)].every((name) => !given(name) && !faulty(name))) {
    const message = "No model can run: none of BLF_MODELS, GROQ_API_KEY, GOOGLE_API_KEY and OPENAI_BASE_URL is set.";
    fault("BLF_MODELS", "no-model", message, "Set GROQ_API_KEY, GOOGLE_API_KEY or OPENAI_BASE_URL.");
  }
};

export const openaiKey: Rule = ({ given }, { warning }) => {
  if (!given("OPENAI_API_KEY") || given("OPENAI_BASE_URL")) return;
  const message = "OPENAI_API_KEY has no effect without OPENAI_BASE_URL.";
  warning("OPENAI_API_KEY", "conflict", message, "Set OPENAI_BASE_URL to the server's URL, or remove the key.");
};
