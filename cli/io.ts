/**
 * What a command prints: data on standard output, everything else on standard error. On a terminal there are colours,
 * tables and spinners, in a pipe plain lines; NO_COLOR and --json are respected. Asks only where a person can answer.
 */
import { stripVTControlCharacters, styleText } from "node:util";
import { confirm, isCancel } from "@clack/prompts";
import { CliError, stopped } from "./errors.ts";

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** What is done now; with the part that is behind, 0 to 1, a terminal shows a bar. */
export type Say = (now: string, part?: number) => void;

export interface Io {
  /** Whether a person sees standard output, and whether one can be asked. */
  readonly terminal: boolean;
  readonly interactive: boolean;
  /** A line of data. */
  print(line?: string): void;
  /** The whole answer of a command with `--json`: one document. */
  json(value: unknown): void;
  /** A line about what happens, never data. */
  note(line: string): void;
  paint(style: Style, text: string): string;
  /** Columns under a head; numbers are the caller's to format. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Shows that something is under way, and how it ended. `done` gives the closing line. */
  progress<T>(what: string, work: (say: Say) => Promise<T>, done?: (value: T) => string): Promise<T>;
  /** Asks before something that cannot be undone. Where nobody can be asked it refuses and names `--yes`. */
  confirm(question: string, yes: boolean): Promise<void>;
}

export function createIo(): Io {
  const terminal = process.stdout.isTTY === true;
  const interactive = process.stdin.isTTY === true && process.stderr.isTTY === true && process.env.CI === undefined;
  const plainNotes = process.stderr.isTTY !== true;
  const note = (line: string) => void process.stderr.write(`${plainNotes ? stripVTControlCharacters(line) : line}\n`);
  const print = (line = "") => void process.stdout.write(`${line}\n`);
  return {
    terminal,
    interactive,
    print,
    json: (value) => print(JSON.stringify(value, null, terminal ? 2 : 0)),
    note,
    paint: (style, text) => styleText(style, text, { stream: process.stdout }),
    table: (head, rows) => {
      for (const [index, line] of columns(head, rows).entries()) {
        print(index === 0 ? styleText("dim", line, { stream: process.stdout }) : line);
      }
    },
    progress: (what, work, done) => (interactive ? spin(what, work, done) : tell(note, what, work, done)),
    async confirm(question, yes) {
      if (yes) return;
      if (!interactive) {
        throw new CliError(`${question} Nobody can be asked here, so nothing was done.`, {
          fix: "Run it again with --yes.",
          exit: "refused",
        });
      }
      const answer = await confirm({ message: question, output: process.stderr });
      if (isCancel(answer)) throw stopped();
      if (!answer) throw new CliError("Nothing was done.", { exit: "refused" });
    },
  };
}

/** The head and the rows, each column as wide as its widest cell; no blanks at the end of a line. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const width = (text: string) => stripVTControlCharacters(text).length;
  const widths = head.map((title, column) => Math.max(...[title, ...rows.map((row) => row[column] ?? "")].map(width)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line);
}

const FRAMES = ["◐", "◓", "◑", "◒"];
const FRAME_MS = 120;

/** Only writes: the terminal stays as it is, so that Ctrl-C stops the command as anywhere else. */
async function spin<T>(what: string, work: (say: Say) => Promise<T>, done?: (value: T) => string) {
  let line = what;
  let frame = 0;
  const out = process.stderr;
  const draw = (mark: string, text: string, end = "") => {
    out.write(`\r\u001b[2K${mark} ${text.slice(0, Math.max(10, (out.columns ?? 80) - 3))}${end}`);
  };
  const timer = setInterval(() => draw(FRAMES[frame++ % FRAMES.length] ?? "", line), FRAME_MS);
  try {
    const value = await work((now, part) => {
      line = `${what}: ${part === undefined ? "" : `${bar(part)} `}${now}`;
    });
    draw(styleText("green", "✓", { stream: out }), done?.(value) ?? what, "\n");
    return value;
  } catch (error) {
    draw(styleText("red", "✗", { stream: out }), what, "\n");
    throw error;
  } finally {
    clearInterval(timer);
  }
}

const BAR_WIDTH = 20;

/** @param part 0 to 1 */
export function bar(part: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
}

async function tell<T>(
  note: (line: string) => void,
  what: string,
  work: (say: Say) => Promise<T>,
  done?: (value: T) => string,
) {
  note(`${what} …`);
  const value = await work((now) => note(`  ${now}`));
  if (done !== undefined) note(done(value));
  return value;
}
