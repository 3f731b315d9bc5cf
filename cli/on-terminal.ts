/** Starts a program on a terminal of its own, for tests that type what a person would. Its environment is exactly what is given. */
import { stripVTControlCharacters } from "node:util";
import { spawn } from "@lydell/node-pty";

export const ENTER = "\r";
export const DOWN = "\u001b[B";
export const CTRL_C = "\u0003";

const PATIENCE_MS = 60_000;

export interface OnTerminal {
  /** The exit code. */
  ended: Promise<number>;
  /** All that was shown so far, without colours. */
  screen(): string;
  /** Waits for the text, then types. */
  at(text: string, ...keys: string[]): Promise<void>;
}

/** @param script a JavaScript or TypeScript file, for Node. What it shows is searched from where the last find ended. */
export function runOnTerminal(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): OnTerminal {
  const program = spawn(process.execPath, [script, ...args], {
    cwd,
    cols: 200,
    rows: 60,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, TERM: "xterm", ...env },
  });
  let shown = "";
  let from = 0;
  let look: () => void = () => undefined;
  program.onData((chunk) => {
    shown += chunk;
    look();
  });
  const ended = new Promise<number>((resolve) => program.onExit(({ exitCode }) => resolve(exitCode)));
  return {
    ended,
    screen: () => stripVTControlCharacters(shown),
    async at(text: string, ...keys: string[]) {
      await new Promise<void>((resolve, reject) => {
        const fail = (what: string) => reject(new Error(`${what} "${text}":\n${stripVTControlCharacters(shown)}`));
        const timer = setTimeout(() => fail(`not within ${PATIENCE_MS / 1000} s:`), PATIENCE_MS);
        look = () => {
          const place = stripVTControlCharacters(shown).indexOf(text, from);
          if (place < 0) return;
          from = place + text.length;
          clearTimeout(timer);
          resolve();
        };
        void ended.then((code) => {
          clearTimeout(timer);
          fail(`ended with ${code} before`);
        });
        look();
      });
      for (const key of keys) program.write(key);
    },
  };
}
