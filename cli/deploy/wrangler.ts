/**
 * Runs wrangler, the platform's own tool, in a temporary folder that goes when the deployment ends. Its environment holds
 * none of our settings, its logs go to that folder, and what it says is shown only after the redactor. Invariant: nothing
 * is passed to it on a command line but names.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import * as z from "zod";
import { SETTING_NAMES } from "../../core/settings/settings.ts";
import { CliError } from "../errors.ts";

export interface WranglerResult {
  ok: boolean;
  stdout: string;
  /** What went wrong in wrangler's words, one paragraph; empty when all is well. */
  reason: string;
  /** The API's number for it. */
  code: number | null;
}

export interface WranglerOptions {
  folder: string;
  env: Readonly<Record<string, string | undefined>>;
  redact(text: string): string;
  signal: AbortSignal;
  /** wrangler's own program; default: the installed one. */
  program?: string;
}

export type Wrangler = (...args: string[]) => Promise<WranglerResult>;

/** Far more than an upload takes; a request without an answer ends by itself after five minutes. */
const LIMIT_MS = 600_000;
const TERM_MS = 5_000;

const manifest = z.object({ version: z.string(), bin: z.object({ wrangler: z.string() }) });

/** The program of the wrangler that is installed with this package. Throws CliError (`failed`) where there is none. */
export function installedWrangler(): { program: string; version: string } {
  try {
    const path = createRequire(import.meta.url).resolve("wrangler/package.json");
    const { version, bin } = manifest.parse(JSON.parse(readFileSync(path, "utf8")));
    return { program: join(dirname(path), bin.wrangler), version };
  } catch (error) {
    throw new CliError("wrangler, which does the deploying, is not installed.", {
      fix: "Install this package anew with npm, or deploy by hand: docs/operate/deploy.md.",
      cause: error,
    });
  }
}

export function createWrangler({ folder, env, redact, signal, program }: WranglerOptions): Wrangler {
  const path = program ?? installedWrangler().program;
  return (...args) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) throw interrupted();
      const child = spawn(process.execPath, [path, ...args], {
        cwd: folder,
        env: wranglerEnv(env, folder),
        stdio: ["ignore", "pipe", "pipe"],
        // A group of its own: wrangler is two processes, of which the inner one may not hear the outer one's signal.
        detached: true,
      });
      const ending = endOn(signal, child);
      const said = { out: "", err: "" };
      child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
      child.once("error", (error) => {
        ending.forget();
        reject(new CliError("wrangler could not be started.", { cause: error }));
      });
      child.once("close", (status) => {
        ending.forget();
        // Stopped by a signal wrangler ends with 0.
        if (signal.aborted) reject(interrupted());
        else if (ending.late()) reject(tooLong(args));
        else resolve(resultOf(status, said, redact));
      });
    });
}

/** Ends a group when the operator stops it, when it takes too long, and with this process, however that ends. */
function endOn(signal: AbortSignal, child: ChildProcess) {
  let late = false;
  let patience: NodeJS.Timeout | undefined;
  const kill = (how: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, how);
    } catch {
      // It has ended by itself.
    }
  };
  const stop = () => {
    kill("SIGTERM");
    patience = setTimeout(() => kill("SIGKILL"), TERM_MS);
  };
  const expire = () => {
    late = true;
    stop();
  };
  const limit = setTimeout(expire, LIMIT_MS);
  const atExit = () => kill("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  process.once("exit", atExit);
  return {
    late: () => late,
    forget() {
      clearTimeout(limit);
      clearTimeout(patience);
      signal.removeEventListener("abort", stop);
      process.off("exit", atExit);
    },
  };
}

function tooLong([command = ""]: readonly string[]): CliError {
  return new CliError(`wrangler ${command} did not end within ${LIMIT_MS / 60_000} minutes and was stopped.`, {
    fix: "Check the connection to api.cloudflare.com, then run this again: it goes on from here.",
    exit: "unreachable",
  });
}

function resultOf(status: number | null, said: { out: string; err: string }, redact: (text: string) => string) {
  const reason = status === 0 ? "" : redact(reasonIn(said.err) || reasonIn(said.out) || `exit status ${status}`);
  const code = /\[code: (\d+)\]/.exec(reason)?.[1];
  return { ok: status === 0, stdout: said.out, reason, code: code === undefined ? null : Number(code) };
}

export function interrupted(): CliError {
  return new CliError("Stopped. What was uploaded stays; running it again goes on from there.", {
    exit: "interrupted",
  });
}

/** The environment without our settings, and without wrangler's own options, which could name a log or another target. */
export function wranglerEnv(env: Readonly<Record<string, string | undefined>>, folder: string) {
  const kept = Object.entries(env).filter(
    ([name]) => !SETTING_NAMES.includes(name) && !/^(BLF_|WRANGLER_|CLOUDFLARE_ENV$|CLOUDFLARE_INCLUDE_)/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    CI: "true",
    FORCE_COLOR: "0",
    NO_COLOR: "1",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_LOG_PATH: join(folder, "logs"),
    WRANGLER_LOG_SANITIZE: "true",
    WRANGLER_CACHE_DIR: join(folder, "cache"),
    WRANGLER_OUTPUT_FILE_PATH: join(folder, "output.ndjson"),
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  };
}

function reasonIn(text: string): string {
  const plain = stripVTControlCharacters(text);
  const [, error = ""] = /\[?ERROR\]?\s+([\s\S]*)/.exec(plain) ?? [];
  const [words = ""] = error.split(/If you think this is a bug|\n\S* *Logs were written|\n🪵/u);
  return words.replace(/\s+/g, " ").trim();
}
