/**
 * A page of the documentation that is made from the code. Written by `npm run docs`; with `--check` nothing is written,
 * and the process fails when the page is out of date.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

/** @param path below the repository's root */
export function writeOrCheck(path: string, text: string, args: readonly string[] = process.argv.slice(2)): void {
  const page = new URL(`../${path}`, import.meta.url);
  if (!args.includes("--check")) {
    mkdirSync(new URL("./", page), { recursive: true });
    writeFileSync(page, text);
  } else if (readFileSync(page, "utf8") !== text) {
    process.stderr.write(`${path} is out of date: run \`npm run docs\`.\n`);
    process.exitCode = 1;
  }
}

/** A row of a Markdown table. */
export function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
