/**
 * `guard export` and `guard import`: the record of what a node has committed to, taken along when it moves, so that no job
 * gets a second commitment (docs/operate/api.md). Importing is idempotent and never loosens.
 */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { type CommonOptions, contextFor, defineCommand, withOptions } from "../command.ts";
import { CliError, usageError } from "../errors.ts";
import { guardAnswer, guardFile } from "../node/shapes.ts";
import { createPrivate, replacePrivate } from "../wallet/private-file.ts";

interface ExportOptions extends CommonOptions {
  out?: string;
  from?: string;
  to?: string;
  force?: true;
}

export function guardCommand(): Command {
  const guard = defineCommand("guard", "Take the record of commitments along when a node moves to another deployment", [
    "guard export --out guard.json",
    "guard import guard.json --url https://new.example.workers.dev",
  ]);
  const exporting = defineCommand("export", "Write every commitment of the node as JSON; drain the node first", [
    "guard export --out guard.json",
    "guard export --from 2026-01-01 --to 2026-02-01 > january.json",
  ])
    .option("-o, --out <file>", "where to (default: standard output)")
    .option("--from <date>", "only what was recorded since then (UTC, included)")
    .option("--to <date>", "only what was recorded before then (UTC)")
    .option("--force", "write over a file that is there");
  const importing = defineCommand("import", "Take such a file in; repeating it changes nothing", [
    "guard import guard.json",
  ]).argument("<file>", "what `guard export` wrote");
  return guard
    .addCommand(withOptions(exporting, "url", "node", "envFile").action(exportGuard))
    .addCommand(withOptions(importing, "json", "url", "node", "envFile").action(importGuard));
}

async function exportGuard(options: ExportOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const file = await api.get("/api/guard", guardFile, { from: options.from, to: options.to });
  if (options.out === undefined) return io.print(JSON.stringify(file));
  const write = options.force === true ? replacePrivate : createPrivate;
  await write(options.out, `${JSON.stringify(file, null, 2)}\n`);
  io.note(`Wrote ${options.out}. Import it where the node goes before that one claims anything.`);
}

async function importGuard(path: string, options: CommonOptions): Promise<void> {
  const { io, api } = contextFor(options);
  const file = await readGuard(path);
  const answer = await api.send(
    "PUT",
    api.node === undefined ? "/api/guard" : `/api/guard?node=${encodeURIComponent(api.node)}`,
    file,
    guardAnswer,
  );
  if (options.json === true) io.json(answer);
  else
    for (const { node, imported, known } of answer.nodes) {
      io.print(`${node}: ${imported ?? "unknown how many"} imported, ${known ?? "unknown how many"} known`);
    }
  const conflicts = answer.nodes.reduce((sum, node) => sum + node.conflicts.length, 0);
  if (conflicts === 0) return;
  throw new CliError(
    `${conflicts} jobs have another commitment here than in the file: two deployments ran with one key. The rest was taken.`,
    { fix: "Nothing is committed for these jobs any more. See that only one deployment has the key.", exit: "refused" },
  );
}

async function readGuard(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    throw usageError(`There is no file ${path} that can be read.`, "Give the file that `guard export` wrote.");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(`${path} is not JSON.`, "Give the file that `guard export` wrote, unchanged.");
  }
}
