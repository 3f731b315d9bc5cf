/**
 * `npm run test:guards-off [-- --only NAME | --from NAME]`: takes each guard out in turn, in a copy of the sources, and shows that a
 * test fails for it. A guard whose text is no longer found, whose tests fail anyway, or whose absence no test notices
 * makes the run fail. The table is test/guards-off/table.ts.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { GUARDS, type Guard } from "../test/guards-off/table.ts";

/** A guard without which the tests go on for ever shows nothing: its row is to be written otherwise. */
const LIMIT_MS = 5 * 60_000;

const root = fileURLToPath(new URL("..", import.meta.url));

interface Verdict {
  guard: Guard;
  ok: boolean;
  said: string;
}

function main(args: readonly string[]): number {
  const guards = chosen(args);
  if (guards.length === 0) {
    process.stderr.write("No guard is called that: the names are in test/guards-off/table.ts.\n");
    return 2;
  }
  const copy = copySources();
  try {
    const broken = brokenTests(copy, guards);
    if (broken.length > 0) {
      process.stdout.write(`These tests fail with every guard in place:\n${broken.join("\n")}\n`);
      return 1;
    }
    const verdicts = guards.map((guard) => takeOut(copy, guard));
    const failed = verdicts.filter(({ ok }) => !ok);
    process.stdout.write(
      `${verdicts.length - failed.length} of ${verdicts.length} guards are missed when they are gone\n`,
    );
    return failed.length === 0 ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Those whose name contains what follows `--only`; all from the first one that contains what follows `--from`. */
function chosen([option, text = ""]: readonly string[]): readonly Guard[] {
  if (option === "--only") return GUARDS.filter(({ name }) => name.includes(text));
  if (option !== "--from") return GUARDS;
  const first = GUARDS.findIndex(({ name }) => name.includes(text));
  return first < 0 ? [] : GUARDS.slice(first);
}

function copySources(): string {
  const copy = mkdtempSync(join(tmpdir(), "blindference-edge-guards-"));
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
    .toString()
    .split("\0")
    .filter((file) => file !== "");
  for (const file of files) cpSync(join(root, file), join(copy, file), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** Files among the guards' tests that fail although nothing was taken out. */
function brokenTests(copy: string, guards: readonly Guard[]): string[] {
  const projects = [...new Set(guards.map(({ project }) => project))];
  return projects.flatMap((project) => {
    const tests = [...new Set(guards.filter((guard) => guard.project === project).flatMap((guard) => guard.tests))];
    return failures(copy, project, tests);
  });
}

function takeOut(copy: string, guard: Guard): Verdict {
  const verdict = judge(copy, guard);
  process.stdout.write(`${verdict.ok ? "ok  " : "FAIL"} ${guard.name}: ${verdict.said}\n`);
  return verdict;
}

function judge(copy: string, guard: Guard): Verdict {
  const file = join(copy, guard.file);
  const text = readFileSync(file, "utf8");
  const found = text.split(guard.find).length - 1;
  if (found !== 1) return { guard, ok: false, said: `its text is found ${found} times in ${guard.file}` };
  writeFileSync(
    file,
    text.replace(guard.find, () => guard.replace),
  );
  try {
    const failed = failures(copy, guard.project, guard.tests, "--bail=1");
    return { guard, ok: failed.length > 0, said: failed[0] ?? "no test noticed" };
  } catch (error) {
    return { guard, ok: false, said: error instanceof Error ? error.message : String(error) };
  } finally {
    writeFileSync(file, text);
  }
}

interface Report {
  testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[];
}

/** Names of the tests that fail; a file that cannot even be loaded does not count as a test that noticed. */
function failures(copy: string, project: string, tests: readonly string[], ...options: readonly string[]): string[] {
  const out = join(copy, "report.json");
  rmSync(out, { force: true });
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--project", project, "--reporter=json", `--outputFile=${out}`, ...options, ...tests];
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}` };
  const run = spawnSync(process.execPath, args, { cwd: copy, env, encoding: "utf8", timeout: LIMIT_MS });
  if (run.signal !== null) throw new Error(`${tests.join(" ")}: not over within ${LIMIT_MS / 60_000} minutes`);
  let report: Report;
  try {
    report = JSON.parse(readFileSync(out, "utf8")) as Report;
  } catch {
    throw new Error(`vitest wrote no report for ${tests.join(" ")}:\n${run.stdout}\n${run.stderr}`);
  }
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.flatMap(({ fullName, status }) => (status === "failed" ? [fullName] : [])),
  );
}

process.exit(main(process.argv.slice(2)));
