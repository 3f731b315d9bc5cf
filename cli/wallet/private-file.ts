/**
 * Files that only their owner may read: mode 0600, whole or not there. Each is written beside its place, put on disk, and
 * moved there in one step, so that a stop at any moment leaves the old file or the new one.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, link, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError, systemCode } from "../errors.ts";

const MODE = 0o600;

/** Throws CliError (`refused`) where there already is a file: it is never overwritten. */
export async function createPrivate(path: string, text: string): Promise<void> {
  await placed(path, text, async (beside) => {
    try {
      await linkOrCopy(beside, path);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      throw new CliError(`${path} exists already. Nothing was written.`, {
        fix: "Move it away first, or choose another place.",
        exit: "refused",
      });
    }
  });
}

/** Whoever reads meanwhile sees the old file or the new one. A link at that place goes on leading where it led. */
export async function replacePrivate(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  await placed(target, text, (beside) => rename(beside, target));
}

/** The same for a file whose owner lets others read it: who may, stays so. A new one is private. */
export async function replaceKeepingMode(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const mode = await stat(target).then(
    (found) => found.mode & 0o777,
    () => MODE,
  );
  await placed(target, text, async (beside) => {
    await chmod(beside, mode);
    await rename(beside, target);
  });
}

async function placed(path: string, text: string, place: (beside: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(beside, "wx", MODE);
    try {
      // The process's umask may have taken more away than others' rights.
      await chmod(beside, MODE);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(beside);
  } finally {
    await rm(beside, { force: true });
  }
}

/** A hard link is made whole and never over another file; a file system without links gets a copy, likewise refused. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (systemCode(error) === "EEXIST") throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await chmod(to, MODE);
  }
}
