/**
 * A copy of a folder that something is still writing to. Files come and go meanwhile, and a database may be caught
 * between its file and its write-ahead log: then the copy is made again.
 */
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ATTEMPTS = 10;

/** Gives `work` a copy and the paths in it, the copy being gone afterwards. Throws what `work` throws at last. */
export async function withSnapshot<T>(
  folder: string,
  work: (copy: string, files: string[]) => T | Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const copy = await mkdtemp(join(tmpdir(), "blindference-edge-canary-"));
    try {
      return await work(copy, await copyAll(folder, copy));
    } catch (error) {
      if (attempt === ATTEMPTS || !isTorn(error)) throw error;
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }
}

async function copyAll(folder: string, copy: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const copied: string[] = [];
  for (const file of files) {
    const target = join(copy, file.slice(folder.length));
    await mkdir(dirname(target), { recursive: true });
    try {
      await copyFile(file, target);
      copied.push(target);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return copied;
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function isTorn(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}
