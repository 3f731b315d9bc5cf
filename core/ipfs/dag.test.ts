import * as dagPb from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { describe, expect, it } from "vitest";
import { ok, refuse } from "../result.ts";
import { type Bytes, blockKey, type Cid, DAG_PB, parseCid, RAW } from "./cid.ts";
import { type DagRefusal, MAX_DEPTH, MAX_VISITS, readFile } from "./dag.ts";
import { importFile } from "./fake-gateway.ts";
import { MANY_BLOCKS, ONE_BLOCK } from "./published-files.ts";

const MAX_BYTES = 4 * 1024 * 1024;

type Blocks = { cid: Cid; bytes: Uint8Array }[];

function read(root: Cid, blocks: Blocks, maxBytes = MAX_BYTES) {
  const held = new Map(blocks.map((block) => [blockKey(block.cid), block.bytes]));
  return readFile(
    root,
    async (cid) => {
      const bytes = held.get(blockKey(cid));
      return bytes === undefined ? refuse({ missing: cid.toString() }) : ok(bytes);
    },
    maxBytes,
  );
}

describe("readFile on published files", () => {
  it.each([...ONE_BLOCK, ...MANY_BLOCKS])("reads $name out of $blocks blocks", async (file) => {
    const imported = await importFile(file.content, file.options);
    expect(imported.cid.toString()).toBe(file.cid);
    const cid = parseCid(file.cid);
    if (!cid.ok) throw new Error("refused");
    const out = await read(cid.value, imported.blocks);
    expect(out).toEqual(ok(new Uint8Array(file.content)));
  });
});

describe("readFile", () => {
  it("keeps the order of a large file in both kinds of leaves", async () => {
    const content = Uint8Array.from({ length: 60_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
    for (const rawLeaves of [true, false]) {
      const file = await importFile(content, { cidVersion: 1, rawLeaves, chunkBytes: 300, width: 5 });
      expect(await read(file.cid, file.blocks)).toEqual(ok(content));
    }
  });

  it("passes on the source's own fault when a block is missing", async () => {
    const file = await importFile(new TextEncoder().encode("foobar\n"), { cidVersion: 0, chunkBytes: 2 });
    const without = file.blocks.filter((_, index) => index !== 1);
    expect(await read(file.cid, without)).toEqual(refuse({ missing: file.blocks[1]?.cid.toString() }));
  });

  it("takes a file of exactly the limit and refuses one byte more before it asks for the leaves", async () => {
    const exact = await importFile(new Uint8Array(1000), { chunkBytes: 100 });
    expect((await read(exact.cid, exact.blocks, 1000)).ok).toBe(true);
    const longer = await importFile(new Uint8Array(1001), { chunkBytes: 100 });
    const rootOnly = longer.blocks.filter((block) => block.cid.equals(longer.cid));
    expect(await read(longer.cid, rootOnly, 1000)).toMatchObject({ ok: false, refusal: { reason: "too-large" } });
  });
});

describe("readFile refuses", () => {
  const leafBytes = new Uint8Array([1, 2, 3]);

  async function blockOf(node: dagPb.PBNode) {
    const bytes: Bytes = new Uint8Array(dagPb.encode(node));
    return { cid: CID.createV1(DAG_PB, await sha256.digest(bytes)), bytes };
  }
  async function rawBlock(bytes: Uint8Array) {
    return { cid: CID.createV1(RAW, await sha256.digest(bytes)), bytes };
  }
  async function parent(children: { cid: Cid; size: number; name?: string }[], sizes = children.map((c) => c.size)) {
    const data = new UnixFS({ type: "file", blockSizes: sizes.map(BigInt) }).marshal();
    return blockOf({
      Data: data,
      Links: children.map((c) => ({ Name: c.name ?? "", Tsize: c.size, Hash: c.cid })),
    });
  }

  const cases: [string, DagRefusal["reason"], () => Promise<Blocks>][] = [
    [
      "a directory",
      "not-a-file",
      async () => [await blockOf({ Data: new UnixFS({ type: "directory" }).marshal(), Links: [] })],
    ],
    [
      "a symlink",
      "not-a-file",
      async () => [await blockOf({ Data: new UnixFS({ type: "symlink", data: leafBytes }).marshal(), Links: [] })],
    ],
    ["a node without data", "not-a-file", async () => [await blockOf({ Links: [] })]],
    ["data that is not UnixFS", "not-a-file", async () => [await blockOf({ Data: leafBytes, Links: [] })]],
    [
      "bytes that are not dag-pb",
      "not-a-file",
      async () => [{ cid: CID.createV1(DAG_PB, await sha256.digest(leafBytes)), bytes: leafBytes }],
    ],
    [
      "more sizes than parts",
      "not-a-file",
      async () => {
        const leaf = await rawBlock(leafBytes);
        return [await parent([{ cid: leaf.cid, size: 3 }], [3, 0]), leaf];
      },
    ],
    [
      "a part of another size than declared",
      "not-a-file",
      async () => {
        const leaf = await rawBlock(leafBytes);
        return [await parent([{ cid: leaf.cid, size: 4 }]), leaf];
      },
    ],
    [
      "named parts",
      "not-a-file",
      async () => {
        const leaf = await rawBlock(leafBytes);
        return [await parent([{ cid: leaf.cid, size: 3, name: "a.txt" }]), leaf];
      },
    ],
    [
      "a part that cannot be verified",
      "not-a-file",
      async () => [await parent([{ cid: CID.createV1(0x71, await sha256.digest(leafBytes)), size: 3 }])],
    ],
    [
      "a tree of empty leaves without end",
      "too-many-blocks",
      async () => {
        const leaf = await rawBlock(new Uint8Array());
        return [await parent(Array.from({ length: MAX_VISITS }, () => ({ cid: leaf.cid, size: 0 }))), leaf];
      },
    ],
    [
      "a chain of nodes",
      "too-deep",
      async () => {
        const chain: Blocks = [await rawBlock(leafBytes)];
        for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
          chain.unshift(await parent([{ cid: (chain[0] as Blocks[number]).cid, size: 3 }]));
        }
        return chain;
      },
    ],
    [
      "a root that declares more than the limit",
      "too-large",
      async () => [await parent([{ cid: (await rawBlock(leafBytes)).cid, size: MAX_BYTES + 1 }])],
    ],
  ];
  it.each(cases)("%s", async (_, reason, make) => {
    const blocks = await make();
    const root = blocks[0] as Blocks[number];
    expect(await read(root.cid, blocks)).toMatchObject({ ok: false, refusal: { reason } });
  });
});
