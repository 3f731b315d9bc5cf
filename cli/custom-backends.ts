/** The operator's own backends (BLF_CUSTOM_BACKENDS), loaded as the sidecar loads them, for commands that try a model. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type LoadedBackend, loadCustomBackends } from "../core/inference/custom.ts";
import { splitList } from "../core/settings/text.ts";
import type { Environment } from "./environment.ts";

/** Paths are from where the command is started, as the sidecar's are. Throws NodeError `settings`. */
export function loadModules(paths: readonly string[]): Promise<LoadedBackend[]> {
  return loadCustomBackends(paths, (path) => import(pathToFileURL(resolve(path)).href));
}

export function customBackendsOf(env: Pick<Environment, "get">): Promise<LoadedBackend[]> {
  return loadModules(splitList(env.get("BLF_CUSTOM_BACKENDS") ?? ""));
}
