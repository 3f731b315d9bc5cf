/** What the node answers with: models and the services that run them. */
import { readModels } from "./model.ts";
import { defaulted, optional, textTo } from "./setting.ts";
import { readToken } from "./text.ts";
import { readUrl } from "./url.ts";

export const backendsShape = {
  BLF_MODELS: optional(textTo(readModels), {
    description:
      "Model ids to serve, comma-separated: `groq:NAME`, `gemini:NAME`, an id that the OpenAI-compatible server lists, or `mock:NAME`, which only runs when it is listed. Other offers are left unclaimed.",
    fix: "List the models to serve, such as groq:llama-3.3-70b-versatile.",
    defaultNote:
      "what the keys given can run: `groq:llama-3.3-70b-versatile` with `GROQ_API_KEY`, `gemini:gemini-2.5-flash` with `GOOGLE_API_KEY`, whatever the server lists with `OPENAI_BASE_URL`",
  }),
  GROQ_API_KEY: optional(textTo(readToken), {
    description: "Key of the Groq cloud, for `groq:` models.",
    fix: "Copy the key from https://console.groq.com/keys.",
    secret: true,
  }),
  GROQ_BASE_URL: defaulted(textTo(readUrl), "https://api.groq.com/openai/v1", {
    description: "Base URL of the Groq API.",
    fix: "Write an https URL, or remove it for the default.",
    show: "origin",
  }),
  GOOGLE_API_KEY: optional(textTo(readToken), {
    description: "Key of the Gemini API, for `gemini:` models.",
    fix: "Copy the key from https://aistudio.google.com/apikey.",
    secret: true,
  }),
  GEMINI_BASE_URL: defaulted(textTo(readUrl), "https://generativelanguage.googleapis.com/v1beta", {
    description: "Base URL of the Gemini API.",
    fix: "Write an https URL, or remove it for the default.",
    show: "origin",
  }),
  OPENAI_BASE_URL: optional(textTo(readUrl), {
    description: "Base URL of an OpenAI-compatible server (vLLM), for models without a prefix.",
    fix: "Write the server's URL, such as https://gpu.example.org/v1.",
    show: "origin",
  }),
  OPENAI_API_KEY: optional(textTo(readToken), {
    description: "Key of that server, if it asks for one.",
    fix: "Write the key that the server was started with, or remove it.",
    secret: true,
  }),
};

/** The models that run with the keys given, as a text for `BLF_MODELS`; empty when there are none. */
export function defaultModels(hasGroq: boolean, hasGemini: boolean): string {
  return [hasGroq ? "groq:llama-3.3-70b-versatile" : "", hasGemini ? "gemini:gemini-2.5-flash" : ""]
    .filter((id) => id !== "")
    .join(",");
}
