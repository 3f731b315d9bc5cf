/**
 * The hash of the code that really runs: the built files of the program, and the lockfile that pins what they import.
 *
 *   SHA-256( F("blf-runtime/1") then, for each file in the order of its path's UTF-8, F(path) F(SHA-256 of its bytes) )
 *
 * F(x) is x behind its length in 4 bytes, big-endian. A link is refused: it would name one file and run another.
 */
import { lstat, readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { bytesToHex } from "viem/utils";
import { type Bytes, concat, u32 } from "../../core/attestation/bytes.ts";
import { sha256 } from "../../core/crypto/sha256.ts";
import { attestationFault, systemCode } from "./fault.ts";

/** What is hashed besides the lockfile, under the package's root: whole folders, and the package's own description. */
const FOLDERS = ["bin", "dist"];
const DESCRIPTION = "package.json";
/** Read by people and debuggers, never by the program. */
const NOT_CODE = /\.(?:map|md)$/;
/** The first that is there counts. npm leaves the first two out of packages that it installs. */
const LOCKFILES = ["package-lock.json", "npm-shrinkwrap.json"];
const HIDDEN_LOCKFILE = ".package-lock.json";
/** The name of the lockfile in the hash, wherever it lies. */
const LOCKFILE_NAME = "lockfile";

export interface HashedFile {
  /** Relative to the root, with `/`. */
  path: string;
  /** 64 hex digits. */
  sha256: string;
}

export interface Runtime {
  /** 64 hex digits, no 0x. */
  hash: string;
  /** In the order in which they are hashed, for people to compare. */
  files: readonly HashedFile[];
}

/**
 * @param root the package's folder, as installed or built
 * @throws NodeError where a file cannot be read, nothing is built, or there is no lockfile
 */
export async function hashRuntime(root: string): Promise<Runtime> {
  const paths = (await Promise.all(FOLDERS.map((folder) => codeIn(root, folder)))).flat();
  if (paths.length === 0) {
    throw attestationFault(
      `no built file under ${root}: looked in ${FOLDERS.join(" and ")}`,
      "Build it: npm run build.",
    );
  }
  const named: [string, string][] = [...paths, DESCRIPTION].map((path) => [path, join(root, ...path.split("/"))]);
  named.push([LOCKFILE_NAME, await findLockfile(root)]);
  const contents = await Promise.all(named.map(async ([path, file]) => [path, await contentHash(file)] as const));
  return hashFiles(contents);
}

/** The pure part: files by path with the SHA-256 of each. */
export async function hashFiles(files: readonly (readonly [path: string, contentHash: Bytes])[]): Promise<Runtime> {
  const ordered = files
    .map(([path, content]) => ({ path, bytes: new TextEncoder().encode(path), content }))
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes));
  const fields = ordered.flatMap(({ bytes, content }) => [field(bytes), field(content)]);
  const hash = bytesToHex(await sha256(concat(field(new TextEncoder().encode("blf-runtime/1")), ...fields)));
  return {
    hash: hash.slice(2),
    files: ordered.map(({ path, content }) => ({ path, sha256: bytesToHex(content).slice(2) })),
  };
}

async function codeIn(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      if (systemCode(error) === "ENOENT") return [];
      throw unreadable(join(root, folder), error);
    },
  );
  return entries
    .filter((entry) => !entry.isDirectory() && !NOT_CODE.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

async function findLockfile(root: string): Promise<string> {
  const beside = LOCKFILES.map((name) => join(root, name));
  // Installed: npm describes the whole tree in the node_modules folder that the package lies in.
  const modules = enclosingModules(root);
  const candidates = modules === null ? beside : [...beside, join(modules, HIDDEN_LOCKFILE)];
  for (const file of candidates) {
    const there = await lstat(file).catch(() => null);
    if (there !== null) return file;
  }
  throw attestationFault(
    `no lockfile: looked for ${candidates.join(", ")}`,
    "Install with npm ci or npm install, so that what the code imports is pinned and can be named in the quote.",
  );
}

function enclosingModules(root: string): string | null {
  for (let folder = dirname(root); folder !== dirname(folder); folder = dirname(folder)) {
    if (folder.endsWith(`${sep}node_modules`)) return folder;
  }
  return null;
}

async function contentHash(file: string): Promise<Bytes> {
  try {
    if (!(await lstat(file)).isFile())
      throw attestationFault(`${file} is no plain file`, "Replace the link by the file.");
    return await sha256(Uint8Array.from(await readFile(file)));
  } catch (error) {
    throw systemCode(error) === undefined ? error : unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown) {
  return attestationFault(
    `${file} cannot be read (${systemCode(error) ?? "unknown"})`,
    "The sidecar's user must be able to read the program that it runs.",
    "never",
    error,
  );
}

function field(bytes: Uint8Array): Bytes {
  return concat(u32(bytes.length), bytes);
}
