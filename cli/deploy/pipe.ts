/**
 * Hands a text to another program through a named pipe: the program gets a file name, the text exists in memory only.
 * Refuses where the system has no named pipes.
 */
import { execFile } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Secret } from "../../core/secret.ts";
import { CliError, systemCode } from "../errors.ts";

const RETRY_MS = 20;

/** Makes the pipe, for its owner only. Throws CliError (`failed`) where that cannot be done. */
export async function makePipe(path: string): Promise<void> {
  try {
    await promisify(execFile)("mkfifo", ["-m", "600", path]);
  } catch (error) {
    throw new CliError("Secrets are handed over through a named pipe, and this system has none.", {
      fix: "Use Linux, macOS or WSL, or deploy by hand: docs/operate/deploy.md.",
      cause: error,
    });
  }
}

/**
 * Writes the text to whoever opens the pipe for reading.
 * @param signal gives up: the reader has ended, with or without having read
 * @returns whether all of it was taken
 */
export async function feedPipe(path: string, text: Secret, signal: AbortSignal): Promise<boolean> {
  let rest = Buffer.from(text.reveal());
  let file: number | null = null;
  try {
    while (!signal.aborted) {
      try {
        // Without a reader ENXIO, with a full pipe EAGAIN: a call that waited could not be given up.
        file ??= openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
        rest = rest.subarray(writeSync(file, rest));
        if (rest.length === 0) return true;
      } catch (error) {
        if (!isPassing(error)) throw error;
        await sleep(RETRY_MS);
      }
    }
    return false;
  } finally {
    if (file !== null) closeSync(file);
  }
}

function isPassing(error: unknown): boolean {
  return ["ENXIO", "EAGAIN"].includes(systemCode(error) ?? "");
}
