/**
 * The devnet's IPFS: blocks by their hash, in memory and, with a folder, on disk, so that a restarted devnet still has
 * what was pinned. CIDs are the real ones, made by ipfs-unixfs-importer. Invariant: what it hands out hashes to the CID;
 * a damaged file on disk counts as absent.
 */
import { mkdir, readFile as readDisk, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as dagPb from "@ipld/dag-pb";
import { importBytes } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import { type Block, writeCar } from "../../core/ipfs/car.ts";
import { type Bytes, blockKey, type Cid, DAG_PB, hashesTo } from "../../core/ipfs/cid.ts";
import { readFile } from "../../core/ipfs/dag.ts";
import { ok, refuse } from "../../core/result.ts";

/** Pinata's and Kubo's long-standing layout. */
const CHUNK_BYTES = 256 * 1024;
const LINKS_A_NODE = 174;
/** Larger than any prompt that a node takes, so that oversized ones can be served too. */
const FILE_MAX_BYTES = 64 * 1024 * 1024;

export interface AddOptions {
  /** 0 gives `Qm…` with wrapped leaves; 1, the default, raw leaves and `bafkrei…` for a file of one chunk. */
  cidVersion?: 0 | 1;
  /** Bytes a leaf; 256 KiB by default. */
  chunkSize?: number;
}

export interface IpfsStore {
  /** Stores a file and gives its CID. The same bytes and options give the same CID. */
  add(bytes: Uint8Array, options?: AddOptions): Promise<string>;
  /** One block, or null. */
  block(cid: Cid): Promise<Bytes | null>;
  /** A file's plain bytes, or null when a block is missing or the CID names no file. */
  file(cid: Cid): Promise<Bytes | null>;
  /** The whole tree as a CAR, depth first, each block once; null when the root is missing. */
  car(cid: Cid): Promise<Bytes | null>;
}

/** `dir` is made when it is not there. Without it everything is forgotten with the process. */
export function createIpfsStore({ dir }: { dir?: string } = {}): IpfsStore {
  const blocks = createBlocks(dir);
  return {
    async add(bytes, options = {}) {
      const { cidVersion = 1, chunkSize = CHUNK_BYTES } = options;
      const { cid } = await importBytes(
        bytes,
        {
          async put(key, value) {
            if (!(value instanceof Uint8Array)) throw new TypeError("a block must come whole");
            await blocks.put(key, new Uint8Array(value));
            return key;
          },
        },
        {
          cidVersion,
          rawLeaves: cidVersion === 1,
          chunker: fixedSize({ chunkSize }),
          layout: balanced({ maxChildrenPerNode: LINKS_A_NODE }),
        },
      );
      return cid.toString();
    },
    block: (cid) => blocks.get(cid),
    async file(cid) {
      const source = async (part: Cid) => {
        const bytes = await blocks.get(part);
        return bytes === null ? refuse("missing") : ok(bytes);
      };
      const file = await readFile(cid, source, FILE_MAX_BYTES);
      return file.ok ? file.value : null;
    },
    async car(cid) {
      const found = new Map<string, Block>();
      await collect(blocks, cid, found);
      return found.has(blockKey(cid)) ? writeCar(cid, [...found.values()]) : null;
    },
  };
}

interface Blocks {
  put(cid: Cid, bytes: Bytes): Promise<void>;
  get(cid: Cid): Promise<Bytes | null>;
}

function createBlocks(dir: string | undefined): Blocks {
  const memory = new Map<string, Bytes>();
  let temporary = 0;
  return {
    async put(cid, bytes) {
      const key = blockKey(cid);
      if (memory.has(key)) return;
      if (dir !== undefined) {
        await mkdir(dir, { recursive: true });
        // Renamed into place: a devnet that is killed leaves no half-written block under a name that promises a whole one.
        const unfinished = join(dir, `${key}.${process.pid}-${temporary++}`);
        await writeFile(unfinished, bytes);
        await rename(unfinished, join(dir, key));
      }
      memory.set(key, bytes);
    },
    async get(cid) {
      const key = blockKey(cid);
      const held = memory.get(key);
      if (held !== undefined || dir === undefined) return held ?? null;
      const stored = await readDisk(join(dir, key)).catch(() => null);
      if (stored === null || !(await hashesTo(cid, stored))) return null;
      const bytes = new Uint8Array(stored);
      memory.set(key, bytes);
      return bytes;
    },
  };
}

async function collect(blocks: Blocks, cid: Cid, found: Map<string, Block>): Promise<void> {
  const bytes = await blocks.get(cid);
  if (bytes === null) return;
  found.set(blockKey(cid), { cid, bytes });
  if (cid.code !== DAG_PB) return;
  for (const link of dagPb.decode(bytes).Links) await collect(blocks, link.Hash, found);
}
