/**
 * `npm run test:pack`: packs this package, installs it into an empty folder as an operator would, and runs a whole job
 * through nodes that come from there, on whatever Node the machine has.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "blindference-edge-pack-"));

/** Without this repository's own tools: what is not installed in the folder must not be found. */
const path = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((entry) => !entry.includes("node_modules"))
  .join(delimiter);
// Settings of the npm that runs this script would reach the inner one.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD|NODE)/.test(name)));

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, {
    cwd,
    env: { ...env, PATH: path },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

try {
  run("npm", ["pack", "--silent", "--pack-destination", folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack made no package");
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", `./${tarball}`], folder);
  if (existsSync(join(folder, "node_modules", "vitest"))) throw new Error("a development tool was installed");
  const said = run("npx", ["blindference-edge", "demo", "--json"], folder).trim().split("\n");
  const result = JSON.parse(said.at(-1) ?? "null") as { status?: string; confirmations?: number } | null;
  if (result?.status !== "ACCEPTED" || result.confirmations !== 3) {
    throw new Error(`the packed node did not finish a job:\n${said.join("\n")}`);
  }
  process.stdout.write("The packed node, installed into an empty folder, finished a job.\n1 passed, 0 failed\n");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
