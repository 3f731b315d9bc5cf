#!/usr/bin/env node
// The command's launcher, in plain JavaScript that any Node runs: workerd's host needs Node 22 or newer, and the
// `node` package that comes with this one is it. On an older Node the command starts again on that one.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { whenOrphaned } from "./orphan.js";

const NODE_MAJOR_MIN = 22;
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const main = join(root, "dist", "cli.js");

if (!existsSync(main)) buildOnce();
if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) {
  whenOrphaned(() => process.kill(process.pid, "SIGTERM"));
  await import(main);
} else {
  runOn(bundledNode());
}

/** In a checkout the first use builds; a package comes built. */
function buildOnce() {
  const script = join(root, "scripts", "build.ts");
  const built = existsSync(script)
    ? spawnSync(bundledNode(), [script], { stdio: ["ignore", "ignore", "inherit"] })
    : null;
  if (built?.status === 0) return;
  process.stderr.write(`blindference-edge is not built: run \`npm run build\` in ${root}.\n`);
  process.exit(1);
}

function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve("node/package.json");
    const binary = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    if (existsSync(binary)) return binary;
  } catch {
    // Said below.
  }
  process.stderr.write(
    `blindference-edge needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version}, and the bundled one was not ` +
      "installed. Install a newer Node, or reinstall with install scripts allowed for the package `node`.\n",
  );
  process.exit(1);
}

function runOn(binary) {
  const child = spawn(binary, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  whenOrphaned(() => child.kill("SIGTERM"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0));
  });
}
