/**
 * `models`: what the node serves, one question to one model, and which models the settings name. `add` and `remove` change
 * the settings file of this machine; a node that runs elsewhere takes them with the next deploy.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { listModels as listServed } from "../../core/inference/openai-completions.ts";
import { systemClock } from "../../core/ports.ts";
import { splitList } from "../../core/settings/text.ts";
import { readUrl } from "../../core/settings/url.ts";
import { type CommonOptions, type Context, contextFor, defineCommand, withOptions } from "../command.ts";
import { customBackendsOf, loadModules } from "../custom-backends.ts";
import { changeEnvFile } from "../env-file.ts";
import { CliError, usageError } from "../errors.ts";
import { chooseModel } from "../local-backend.ts";
import { modelsAnswer } from "../node/shapes.ts";

export function modelsCommand(): Command {
  const list = defineCommand("list", "List the models, what runs each, and whether the node serves it now", [
    "models list",
    "models list --json",
  ]);
  const test = defineCommand("test", "Ask one model one question, with the very request a job would send", [
    'models test groq:llama-3.3-70b-versatile "What is 2+2?"',
  ])
    .argument("<model>", "the model's id")
    .argument("<prompt>", "what to ask");
  const add = defineCommand(
    "add",
    "Add a model to the settings file, all models of an OpenAI-compatible server, or a backend of your own",
    [
      "models add gemini:gemini-2.5-flash",
      "models add http://127.0.0.1:8000/v1 # vLLM, llama.cpp, SGLang, TGI, Ollama",
      "models add ./my-backend.mjs # for the sidecar",
    ],
  ).argument("<spec>", "a model's id, the server's URL, or the path of a JavaScript module");
  const remove = defineCommand("remove", "Take a model out of the settings file", [
    "models remove gemini:gemini-2.5-flash",
  ]).argument("<model>", "the model's id");
  return defineCommand("models", "The models that the node serves", ["models list"])
    .addCommand(withOptions(list, "json", "url", "node", "envFile").action(listModels))
    .addCommand(withOptions(test, "json", "envFile").action(testModel))
    .addCommand(withOptions(add, "envFile").action(addModels))
    .addCommand(withOptions(remove, "envFile").action(removeModel));
}

async function listModels(options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const answer = await api.get("/api/models", modelsAnswer);
  if (options.json === true) return io.json(answer);
  for (const { node, models } of answer.nodes) {
    io.print(io.paint("bold", node));
    io.table(
      ["model", "backend", "now"],
      models.map(({ id, backend, served }) => [
        id,
        backend ?? "–",
        served === undefined
          ? "unknown"
          : served
            ? io.paint("green", "served")
            : io.paint("red", "not served: see status"),
      ]),
    );
  }
}

async function testModel(model: string, prompt: string, options: CommonOptions): Promise<void> {
  const { io, env } = contextFor(options);
  const { backend } = chooseModel(await env.unlocked(), model, await customBackendsOf(env));
  const startedMs = Date.now();
  const ask = () => backend.infer(model, prompt);
  const answer = await (options.json === true ? ask() : io.progress(`Asking ${model}`, ask));
  if (options.json === true) io.json({ model, answer, milliseconds: Date.now() - startedMs });
  else io.print(answer);
}

async function addModels(spec: string, options: CommonOptions): Promise<void> {
  const context = contextFor(options);
  const listed = modelsIn(context);
  if (/^https?:/i.test(spec)) return addServer(context, spec, listed);
  if (/\.(m?js|ts)$/.test(spec)) return addModule(context, spec);
  if (/^[\w.]+:[A-Z]\w*$/.test(spec)) {
    throw usageError(
      `${spec} names a Python class: a backend of your own is a JavaScript module here, which the sidecar runs.`,
      "See docs/operate/custom-backend.md, or serve the model by an OpenAI-compatible server and add its URL.",
    );
  }
  if (listed.includes(spec)) return context.io.note(`${spec} is in BLF_MODELS already.`);
  // Refuses what has no key or server, before a node names it to the coordinator.
  chooseModel(await context.env.unlocked(), spec);
  await save(context, { BLF_MODELS: [...listed, spec].join(",") });
  done(context, `Added ${spec}.`);
}

async function addServer(context: Context, spec: string, listed: readonly string[]): Promise<void> {
  const url = readUrl(spec);
  if (!url.ok)
    throw usageError(`${spec} ${url.refusal[0]?.message ?? "cannot be read"}.`, "Give the server's base URL.");
  const { io, env } = context;
  const key = await env.secret("OPENAI_API_KEY");
  const models = await io.progress(`Asking ${new URL(url.value).host} for its models`, () =>
    listServed({ baseUrl: url.value, fetch, clock: systemClock, ...(key === null ? {} : { apiKey: key }) }),
  );
  if (models.length === 0) throw new CliError("The server names no models.", { fix: "Load one there first." });
  await save(context, {
    OPENAI_BASE_URL: url.value,
    BLF_MODELS: [...new Set([...listed, ...models])].join(","),
  });
  done(context, `Added ${models.join(", ")}.`);
}

/** For the sidecar: no Worker runs a module. What cannot be loaded, or names a model twice, is not written. */
async function addModule(context: Context, spec: string): Promise<void> {
  const { env, io } = context;
  const path = resolve(spec);
  if (splitList(path)[0] !== path) {
    throw usageError(
      `${path} cannot stand in a list: it holds a comma, a line break or quotes around it.`,
      "Give the file or its folder another name.",
    );
  }
  const listed = splitList(env.get("BLF_CUSTOM_BACKENDS") ?? "");
  if (listed.some((other) => resolve(other) === path)) return io.note(`${path} is in BLF_CUSTOM_BACKENDS already.`);
  const modules = await loadModules([...listed, path]);
  await save(context, { BLF_CUSTOM_BACKENDS: [...listed, path].join(",") });
  io.print(`Added ${modules.at(-1)?.custom.models.join(", ")}.`);
  io.note(`Written to ${env.envFile}. Start the sidecar again for it to count.`);
}

async function removeModel(model: string, options: CommonOptions): Promise<void> {
  const context = contextFor(options);
  const listed = modelsIn(context);
  if (!listed.includes(model)) {
    throw usageError(`${model} is not in BLF_MODELS.`, `It holds: ${listed.join(", ") || "nothing"}.`);
  }
  const rest = listed.filter((id) => id !== model);
  if (rest.length === 0) throw usageError("A node without a model serves nothing.", "Add another one first.");
  await save(context, { BLF_MODELS: rest.join(",") });
  done(context, `Removed ${model}.`);
}

function modelsIn({ env }: Context): string[] {
  return (env.get("BLF_MODELS") ?? "")
    .split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
}

async function save({ env }: Context, set: Readonly<Record<string, string>>): Promise<void> {
  const overruled = Object.keys(set).find((name) => process.env[name] !== undefined);
  if (overruled !== undefined) {
    throw usageError(
      `${overruled} is set in the environment, which goes before ${env.envFile}.`,
      "Change it there, or unset it.",
    );
  }
  await changeEnvFile(env.envFile, { set });
}

function done({ io, env }: Context, what: string): void {
  io.print(what);
  io.note(`Written to ${env.envFile}. Start the node again, or deploy, for it to count; the node then attests anew.`);
}
