/**
 * Reads a UnixFS file out of its blocks: one raw block, or a dag-pb tree of any depth with raw or dag-pb leaves. It asks
 * for blocks one after another, in file order, and trusts the source to hand out verified ones only. Refuses directories,
 * symlinks, malformed trees and anything over its bounds. Invariant: never more than `maxBytes` are gathered.
 */
import * as dagPb from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import { ok, type Result, refuse } from "../result.ts";
import { type Bytes, type Cid, checkCid, RAW } from "./cid.ts";

/** Hands out the bytes of a block, already checked against its CID, or says why it cannot. */
export type BlockSource<F> = (cid: Cid) => Promise<Result<Uint8Array, F>>;

/** What the verified blocks themselves rule out: no other gateway can make it better. */
export interface DagRefusal {
  reason: "not-a-file" | "too-large" | "too-many-blocks" | "too-deep";
  message: string;
}

/** Visits, repeated blocks counted each time: 4 MiB in chunks of 1 KiB. Bounds the work a tree of empty leaves can cause. */
export const MAX_VISITS = 4_200;
/** The usual trees are 174 or 1,024 wide, so that two levels hold 4 MiB. */
export const MAX_DEPTH = 8;

interface Node {
  cid: Cid;
  depth: number;
  /** The size its parent declares. */
  declared: bigint | null;
}

/**
 * The file's bytes in order. Sizes are checked as UnixFS demands: as many block sizes as links, each equal to what its
 * child declares. Refuses with the source's own fault or with a DagRefusal.
 */
export async function readFile<F>(
  root: Cid,
  block: BlockSource<F>,
  maxBytes: number,
): Promise<Result<Bytes, F | DagRefusal>> {
  const parts: Uint8Array[] = [];
  const stack: Node[] = [{ cid: root, depth: 0, declared: null }];
  let gathered = 0;
  for (let visits = 1; stack.length > 0; visits += 1) {
    const node = stack.pop() as Node;
    if (visits > MAX_VISITS) return no("too-many-blocks", `has more than ${MAX_VISITS} blocks`);
    if (node.depth > MAX_DEPTH) return no("too-deep", `is nested deeper than ${MAX_DEPTH} levels`);
    const bytes = await block(node.cid);
    if (!bytes.ok) return bytes;
    const piece = node.cid.code === RAW ? ok(leaf(bytes.value)) : readNode(bytes.value);
    if (!piece.ok) return piece;
    const { data, links, size } = piece.value;
    if (node.declared !== null && node.declared !== size) return no("not-a-file", "has a part of another size");
    // Every part has the size its parent declares, so that the root's size is the sum of all that can follow.
    if (size > BigInt(maxBytes)) return no("too-large", `is larger than ${maxBytes} bytes`);
    gathered += data.length;
    parts.push(data);
    // The stack is last in, first out: the first link has to be on top.
    for (const link of links.toReversed()) stack.push({ ...link, depth: node.depth + 1 });
  }
  return ok(joined(parts, gathered));
}

interface Piece {
  data: Uint8Array;
  links: { cid: Cid; declared: bigint }[];
  size: bigint;
}

function leaf(data: Uint8Array): Piece {
  return { data, links: [], size: BigInt(data.length) };
}

function readNode(block: Uint8Array): Result<Piece, DagRefusal> {
  const decoded = decode(block);
  if (decoded === null) return no("not-a-file", "is not a UnixFS node");
  const { node, file } = decoded;
  if (file.type !== "file" && file.type !== "raw") return no("not-a-file", `is a ${file.type}`);
  if (file.blockSizes.length !== node.Links.length) return no("not-a-file", "declares fewer or more sizes than parts");
  const links: Piece["links"] = [];
  for (const [index, link] of node.Links.entries()) {
    if (link.Name !== undefined && link.Name !== "") return no("not-a-file", "has named parts");
    if (checkCid(link.Hash) !== null) return no("not-a-file", "has a part whose CID cannot be verified");
    links.push({ cid: link.Hash, declared: file.blockSizes[index] as bigint });
  }
  return ok({ data: file.data ?? new Uint8Array(), links, size: file.fileSize() });
}

function decode(block: Uint8Array) {
  try {
    const node = dagPb.decode(block);
    return node.Data === undefined ? null : { node, file: UnixFS.unmarshal(node.Data) };
  } catch {
    return null;
  }
}

function joined(parts: readonly Uint8Array[], length: number): Bytes {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function no(reason: DagRefusal["reason"], message: string): { ok: false; refusal: DagRefusal } {
  return refuse({ reason, message });
}
