/**
 * Builds the version after this one: a copy of today's sources with the changes below, bundled as `npm run build` does.
 * The job's row is one schema up: `answerDigest` is called `answerSha256` everywhere, and `madeBy` is new; the history
 * has one migration more. Throws when a change does not find its place in the sources.
 */
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWorker } from "../../../scripts/build.ts";
import { CHANGES, RENAMED } from "./changes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** @param folder an empty one @returns the path of the bundle */
export async function buildNextVersion(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const part of ["core", "workers", "wrangler.toml", "package.json", "tsconfig.base.json"]) {
    await cp(join(root, part), join(folder, part), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  await rename(folder);
  for (const { file, find, replace, append = "" } of CHANGES) {
    const path = join(folder, file);
    const text = await readFile(path, "utf8");
    if (text.split(find).length !== 2) throw new Error(`${file} does not hold this exactly once: ${find}`);
    await writeFile(path, `${text.replace(find, () => replace)}${append}`);
  }
  await buildWorker({ sources: folder });
  return join(folder, "dist/worker/index.js");
}

/** Gives a field its new name wherever our code speaks of it. */
async function rename(folder: string): Promise<void> {
  const name = new RegExp(`\\b${RENAMED.from}\\b`, "g");
  for (const part of ["core", "workers"]) {
    for (const file of await readdir(join(folder, part), { recursive: true })) {
      if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
      const path = join(folder, part, file);
      const text = await readFile(path, "utf8");
      if (name.test(text)) await writeFile(path, text.replace(name, RENAMED.to));
    }
  }
}
