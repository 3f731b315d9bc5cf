/** The wizard's questions about who answers prompts: Groq, Gemini, an OpenAI-compatible server, and which of their models. */

import { Secret } from "../../core/secret.ts";
import { defaultModels } from "../../core/settings/backends.ts";
import { backendOf } from "../../core/settings/model.ts";
import { SETTINGS, type SettingName } from "../../core/settings/schema.ts";
import { checkGemini, checkGroq, checkServer, modelsOfServer } from "../doctor/services.ts";
import { askSetting, type Known } from "./ask-setting.ts";
import { runnable } from "./unattended.ts";

const BACKENDS = [
  { value: "groq", label: "Groq", hint: "cloud, GROQ_API_KEY", name: "GROQ_API_KEY" },
  { value: "gemini", label: "Google Gemini", hint: "cloud, GOOGLE_API_KEY", name: "GOOGLE_API_KEY" },
  {
    value: "openai",
    label: "an OpenAI-compatible server, such as vLLM on your GPU",
    hint: "its URL",
    name: "OPENAI_BASE_URL",
  },
] as const;

export async function askBackends(known: Known): Promise<void> {
  const { ask, texts } = known;
  const set = BACKENDS.filter(({ name }) => texts[name] !== undefined).map(({ value }) => value);
  const choices = BACKENDS.map(({ value, label, hint }) => ({ value, label, hint }));
  const chosen = await ask.several("Who answers the prompts? (space selects)", choices, set);
  for (const { value, name } of BACKENDS) {
    if (!chosen.includes(value)) delete texts[name];
  }
  // It is of no use to another server.
  if (!chosen.includes("openai")) delete texts.OPENAI_API_KEY;
  if (chosen.includes("groq")) await askGroq(known);
  if (chosen.includes("gemini")) await askGemini(known);
  if (chosen.includes("openai")) await askServer(known);
  if (chosen.length === 0)
    ask.say("Without a backend the node claims nothing. Run `init` again once you have one.", "warn");
}

function askGroq(known: Known): Promise<void> {
  return askSetting(known, {
    name: "GROQ_API_KEY",
    message: "Groq key (https://console.groq.com/keys)",
    test: (text) =>
      checkGroq(
        { apiKey: new Secret(text), baseUrl: baseUrl(known, "GROQ_BASE_URL") },
        defaultModels(true, false).split(","),
      ),
  });
}

function askGemini(known: Known): Promise<void> {
  return askSetting(known, {
    name: "GOOGLE_API_KEY",
    message: "Gemini key (https://aistudio.google.com/apikey)",
    test: (text) =>
      checkGemini(
        { apiKey: new Secret(text), baseUrl: baseUrl(known, "GEMINI_BASE_URL") },
        defaultModels(false, true).split(","),
      ),
  });
}

async function askServer(known: Known): Promise<void> {
  const { texts } = known;
  let asksForKey = known.skipTests;
  await askSetting(known, {
    name: "OPENAI_BASE_URL",
    message: "The server's URL, such as http://127.0.0.1:8000/v1",
    test: async (text) => {
      const finding = await checkServer(access(text, texts.OPENAI_API_KEY), []);
      asksForKey = finding.detail.endsWith("to the key");
      return asksForKey ? null : finding;
    },
  });
  const url = texts.OPENAI_BASE_URL;
  if (url === undefined || (!asksForKey && texts.OPENAI_API_KEY === undefined)) return;
  await askSetting(known, {
    name: "OPENAI_API_KEY",
    message: "The server's key; empty if it asks for none",
    test: (text) => checkServer(access(url, text), []),
  });
}

function access(baseUrl: string, apiKey: string | undefined) {
  return { baseUrl, ...(apiKey === undefined ? {} : { apiKey: new Secret(apiKey) }) };
}

/** For BLF_MODELS; null leaves it to the keys. */
export async function askModels(known: Known, wanted: readonly string[]): Promise<string | null> {
  const { ask, texts } = known;
  const has = (name: SettingName) => texts[name] !== undefined;
  const usual = defaultModels(has("GROQ_API_KEY"), has("GOOGLE_API_KEY")).split(",");
  const server = has("OPENAI_BASE_URL") && !known.skipTests ? await serverModels(known) : [];
  const now = (texts.BLF_MODELS ?? "").split(",").map((id) => id.trim());
  const offered = [...new Set([...now, ...runnable(wanted, has), ...usual, ...server])].filter(
    (id) => id !== "" && (backendOf(id) === "mock" || runnable([id], has).length > 0),
  );
  if (offered.length === 0) return null;
  const initial = texts.BLF_MODELS === undefined ? offered : offered.filter((id) => now.includes(id));
  const chosen = await ask.several(
    "Which models?",
    offered.map((value) => ({ value, label: value })),
    initial,
  );
  return chosen.length === 0 ? null : chosen.join(",");
}

function serverModels({ texts }: Known): Promise<string[]> {
  const { OPENAI_BASE_URL: url = "", OPENAI_API_KEY: key } = texts;
  return modelsOfServer(access(url, key)).catch(() => []);
}

function baseUrl({ texts }: Known, name: "GROQ_BASE_URL" | "GEMINI_BASE_URL"): string {
  return (texts[name] ?? SETTINGS.find((setting) => setting.name === name)?.default ?? "").replace(/\/+$/, "");
}
