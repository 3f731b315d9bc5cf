/**
 * Builds dist/: the Worker (by wrangler, exactly what `wrangler deploy` uploads), the command, the sidecar and the devnet (by
 * esbuild, dependencies left outside). Quiet unless something fails; `--sizes` prints the Worker's size. Invariant: while
 * it builds, and when it fails, dist/ holds the build before.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
/** What the launcher takes for the sign that all is built. */
const SIGN = "cli.js";

export async function buildAll(): Promise<void> {
  // On the same file system as dist/, and ignored by git.
  await mkdir(join(root, ".tmp"), { recursive: true });
  const folder = await mkdtemp(join(root, ".tmp", "dist-"));
  try {
    await Promise.all([buildWorker({ outdir: join(folder, "worker") }), buildPrograms(folder)]);
    await replaceFiles(folder, join(root, "dist"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Moves all files of `from` over those of `to`, one by one, then deletes what only `to` had. A folder cannot be swapped in
 * one step, a file can: so no file is missing at any moment to a process that runs from `to`.
 */
export async function replaceFiles(from: string, to: string): Promise<void> {
  const built = await filesIn(from);
  for (const file of built.toSorted((a, b) => Number(a === SIGN) - Number(b === SIGN))) {
    await mkdir(dirname(join(to, file)), { recursive: true });
    await rename(join(from, file), join(to, file));
  }
  const gone = (await filesIn(to)).filter((file) => !built.includes(file));
  await Promise.all(gone.map((file) => rm(join(to, file), { force: true })));
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

export interface WorkerBuild {
  /** Default: dist/worker. */
  outdir?: string;
  /** The sources; default: this repository. */
  sources?: string;
  /** With the points at which a test holds or kills the node (core/failpoint.ts). */
  failpoints?: boolean;
}

/** Bundles the Worker into `index.js` of the folder. */
export async function buildWorker(build: WorkerBuild = {}): Promise<void> {
  const { outdir = "dist/worker", sources = root, failpoints = false } = build;
  const wrangler = `${root}node_modules/wrangler/bin/wrangler.js`;
  const define = failpoints ? ["--define", "__FAILPOINTS__:true"] : [];
  const args = [wrangler, "deploy", "--dry-run", "--outdir", outdir, ...define];
  await promisify(execFile)(process.execPath, args, {
    cwd: sources,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
  });
}

async function buildPrograms(outdir: string): Promise<void> {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const external = Object.keys({ ...dependencies, ...optionalDependencies });
  await build({
    absWorkingDir: root,
    entryPoints: { cli: "cli/main.ts", devnet: "devnet/main.ts", sidecar: "sidecar/main.ts" },
    outdir,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    define: { __FAILPOINTS__: "false" },
    external: external.flatMap((name) => [name, `${name}/*`]),
    // CommonJS inside embedded packages asks for `require`.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
}

export function workerSize(): { bytes: number; gzipBytes: number } {
  const bundle = readFileSync(`${root}dist/worker/index.js`);
  return { bytes: bundle.length, gzipBytes: gzipSync(bundle).length };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildAll();
  if (process.argv.includes("--sizes")) {
    const { bytes, gzipBytes } = workerSize();
    const kib = (value: number) => `${(value / 1024).toFixed(0)} KiB`;
    process.stdout.write(`Worker bundle: ${kib(bytes)}, ${kib(gzipBytes)} gzipped\n`);
  }
}
