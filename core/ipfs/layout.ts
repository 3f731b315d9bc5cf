/**
 * Whether a file's plain bytes are what a dag-pb CID names, found by building the tree again. Plain bytes do not hash to
 * such a CID, but the tools in use lay a small file out in a handful of ways. "Yes" is a proof, as strong as the hash;
 * "no" proves nothing, because the file may have been laid out otherwise.
 */
import * as dagPb from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { type Cid, DAG_PB, hashesTo, RAW } from "./cid.ts";

interface Layout {
  chunkBytes: number;
  leaves: "file" | "raw";
}

const KIB = 1024;
/** Kubo's and Pinata's defaults first (256 KiB), then those of the 2025 profile (1 MiB). */
const LAYOUTS: readonly Layout[] = [
  { chunkBytes: 256 * KIB, leaves: "file" },
  { chunkBytes: 256 * KIB, leaves: "raw" },
  { chunkBytes: 1024 * KIB, leaves: "raw" },
  { chunkBytes: 1024 * KIB, leaves: "file" },
];
/** The narrowest tree in use: above it a second level begins, and beyond 4 MiB no prompt goes. */
const MAX_LEAVES = 174;

/** True when the bytes are proven to be the file that a raw or dag-pb CID names. */
export async function isFileOf(cid: Cid, bytes: Uint8Array): Promise<boolean> {
  if (cid.code === RAW) return hashesTo(cid, bytes);
  for (const layout of LAYOUTS) {
    if (bytes.length > layout.chunkBytes * MAX_LEAVES) continue;
    if (await hashesTo(cid, await rootBlock(bytes, layout, cid.version))) return true;
  }
  return false;
}

/** A file of one chunk is one block with the bytes inside; a longer one is a block of links to its chunks. */
async function rootBlock(bytes: Uint8Array, layout: Layout, version: 0 | 1): Promise<Uint8Array> {
  if (bytes.length <= layout.chunkBytes) return fileBlock(bytes);
  const root = new UnixFS({ type: "file" });
  const links: dagPb.PBLink[] = [];
  for (let start = 0; start < bytes.length; start += layout.chunkBytes) {
    const chunk = bytes.subarray(start, start + layout.chunkBytes);
    const block = layout.leaves === "raw" ? chunk : fileBlock(chunk);
    const digest = await sha256.digest(block);
    // A raw leaf has no version 0 name.
    const hash =
      layout.leaves === "raw"
        ? CID.createV1(RAW, digest)
        : version === 0
          ? CID.createV0(digest)
          : CID.createV1(DAG_PB, digest);
    root.addBlockSize(BigInt(chunk.length));
    links.push({ Name: "", Tsize: block.length, Hash: hash });
  }
  return dagPb.encode({ Data: root.marshal(), Links: links });
}

function fileBlock(bytes: Uint8Array): Uint8Array {
  return dagPb.encode({ Data: new UnixFS({ type: "file", data: bytes }).marshal(), Links: [] });
}
