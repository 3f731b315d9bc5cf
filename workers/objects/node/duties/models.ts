/** Which models this node serves right now: what the settings list, less what the local server does not have. */
import { listModels } from "../../../../core/inference/openai-completions.ts";
import { platformFetch } from "../../../wiring.ts";
import { type NodeContext, tell } from "../context.ts";

/** Asks the OpenAI-compatible server again what it can run, and has the certificate follow. */
export async function modelsDuty(context: NodeContext): Promise<void> {
  const { kit, schedule } = context;
  const before = servedModels(context).join();
  await discoverModels(context);
  const served = servedModels(context).join();
  if (served === before) return;
  tell(context, "info", "models.changed", { models: served });
  // The watchdog sees that the certificate names other models.
  schedule.hasten("watchdog", kit.clock.now());
}

/** Learns what the local server can run; nothing to learn where none is configured. */
export async function discoverModels(context: NodeContext): Promise<void> {
  const { kit, live } = context;
  const { openai } = kit.settings.backends;
  if (openai !== undefined) live.discovered = await listModels({ ...openai, fetch: platformFetch, clock: kit.clock });
}

/** Ids to offer to the coordinator, without duplicates. */
export function servedModels(context: NodeContext): string[] {
  const { settings } = context.kit;
  const listed = context.kit.models.models().map((model) => model.id);
  const found = settings.openaiDiscover ? (context.live.discovered ?? []) : [];
  return [...new Set([...listed, ...found])].filter((id) => servesModel(context, id));
}

/** Whether a job for this model can be claimed. The local server's models count only while it lists them. */
export function servesModel(context: NodeContext, modelId: string): boolean {
  const resolved = context.kit.models.resolve(modelId);
  if (!resolved.ok) return false;
  return resolved.value.name !== "openai" || (context.live.discovered?.includes(modelId) ?? false);
}

/** Every model the settings or the local server name, and whether it is served. */
export function modelList(context: NodeContext): { id: string; backend: string; served: boolean }[] {
  const listed = context.kit.models.models();
  const found = (context.live.discovered ?? [])
    .filter((id) => context.kit.settings.openaiDiscover && !listed.some((model) => model.id === id))
    .map((id) => ({ id, backend: "openai" }));
  return [...listed, ...found].map((model) => ({ ...model, served: servesModel(context, model.id) }));
}
