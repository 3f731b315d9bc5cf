/**
 * Builds the version after this one: a copy of today's sources with the changes below, bundled as `npm run build` does.
 * The job's row is one schema up: `answerDigest` is called `answerSha256` everywhere, and `madeBy` is new; the history
 * has one migration more. Throws when a change does not find its place in the sources.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
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
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", "dist/worker"], {
    cwd: folder,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
  });
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
