/**
 * CAR archives, version 1: many blocks in one answer. Reading checks nothing but the archive's own form; whoever uses a
 * block checks it against the CID that it was asked for, never against the one written beside it.
 */
import { CarBufferReader } from "@ipld/car/buffer-reader";
import { blockLength, createWriter, headerLength } from "@ipld/car/buffer-writer";
import { type Bytes, blockKey, type Cid } from "./cid.ts";

export interface Block {
  cid: Cid;
  bytes: Uint8Array;
}

/** The blocks by `blockKey`, unverified. Bytes that are no CAR, a page of HTML for instance, hold none. */
export function readCar(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  try {
    const blocks = CarBufferReader.fromBytes(bytes).blocks();
    return new Map(blocks.map((block) => [blockKey(block.cid), block.bytes]));
  } catch {
    return new Map();
  }
}

/** An archive of the blocks in the order given, with one root. */
export function writeCar(root: Cid, blocks: readonly Block[]): Bytes {
  const roots = [root];
  const size = blocks.reduce((sum, block) => sum + blockLength(block), headerLength({ roots }));
  const writer = createWriter(new ArrayBuffer(size), { roots });
  for (const block of blocks) writer.write(block);
  return new Uint8Array(writer.close());
}
